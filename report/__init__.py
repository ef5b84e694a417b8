"""What is told of a network when all is measured: data, JSON, CSV, and one page of HTML."""

from .build import assemble_report as assemble_report
from .build import flatten_dict as flatten_dict
from .compare import comparison_rows as comparison_rows
from .compare import render_comparison as render_comparison
from .compare import write_comparison as write_comparison
from .csv import to_csv as to_csv
from .model import AccuracyCurve as AccuracyCurve
from .model import EarlyExitStats as EarlyExitStats
from .model import Energy as Energy
from .model import HostTiming as HostTiming
from .model import PopulationActivity as PopulationActivity
from .model import ProjectionActivity as ProjectionActivity
from .model import Report as Report
from .model import Sample as Sample
from .model import SpikeRaster as SpikeRaster
from .placement import CoreLoad as CoreLoad
from .placement import Placement as Placement
from .placement import PopulationUsage as PopulationUsage
from .placement import Timing as Timing
from .write import read_report as read_report
from .write import to_json as to_json
from .write import write_report as write_report
