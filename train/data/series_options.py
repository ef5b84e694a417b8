"""Options of time series: table `[data.series]` of a recipe. Imports no torch."""

from pydantic import Field

from ...runtime.config import Options


class SeriesOptions(Options):
    """Augmented copies of the training samples of time series.

    - `copies`: augmented copies of each training sample, beside itself; each is varied by what
      follows.
    - `speed`: play up to so large a fraction faster or slower.
    - `shift`: begin up to so many rows earlier or later; the first or last row is repeated.
    - `rotate`: rotate vectors by up to so many degrees about a random axis: columns 0 to 2, 3 to 5
      and so on are the x, y and z of sensors that turn together, such as those of an inertial
      measurement unit (Um et al., ICMI 2017).
    - `heading`: turn magnetometers about the vertical by up to so many degrees, as if a recording
      was made in another direction: columns 0 to 2 are an accelerometer, whose mean is the
      vertical, 3 to 5 a gyroscope, and 6 to 8 a magnetometer.
    - `gain`: multiply deviations from the mean of each feature by a factor of up to 1 plus so much,
      or divide by it.
    - `noise`: standard deviation of white noise, in standard deviations of each feature.
    """

    copies: int = Field(default=0, ge=0, le=1000)
    speed: float = Field(default=0.0, ge=0, lt=1)
    shift: float = Field(default=0.0, ge=0)
    rotate: float = Field(default=0.0, ge=0, le=180)
    heading: float = Field(default=0.0, ge=0, le=180)
    gain: float = Field(default=0.0, ge=0)
    noise: float = Field(default=0.0, ge=0)
