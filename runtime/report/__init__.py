"""What is told of a network when all is measured: data, JSON, CSV, and one page of HTML."""

from .build import flattened as flattened
from .build import reported as reported
from .compare import compared as compared
from .compare import render_comparison as render_comparison
from .compare import write_comparison as write_comparison
from .placement import CoreLoad as CoreLoad
from .placement import Host as Host
from .placement import Placement as Placement
from .placement import PopulationUse as PopulationUse
from .placement import Timing as Timing
from .report import Activity as Activity
from .report import Curve as Curve
from .report import Energy as Energy
from .report import Exits as Exits
from .report import Report as Report
from .report import Sample as Sample
from .report import Strip as Strip
from .report import Traffic as Traffic
from .table import report_csv as report_csv
from .write import read_report as read_report
from .write import report_json as report_json
from .write import write_report as write_report
