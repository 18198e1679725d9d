"""The description of a data set's readings, as JSON."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from archive.dataset.description import Kind

GapView = TypedDict(
    "GapView",
    {
        "device": Annotated[str, Field(description="The device.")],
        "from": Annotated[str, Field(description="The device's last reading before the pause; ISO 8601, UTC.")],
        "to": Annotated[str, Field(description="The device's first reading after it.")],
        "seconds": Annotated[float, Field(description="The time between the two readings.")],
    },
)
GapView.__doc__ = "A pause of a device that stands out."


class FeatureView(TypedDict):
    """The values of a feature."""

    name: Annotated[str, Field(description="The feature.")]
    missing: Annotated[int, Field(description="Readings without a value.")]
    out_of_range: Annotated[int, Field(description="Readings outside the physical range of the settings.")]
    constant: Annotated[bool, Field(description="True if it always has the same value.")]
    lowest: Annotated[float | None, Field(description="The lowest value; null without values.")]
    median: Annotated[float | None, Field(description="The median.")]
    highest: Annotated[float | None, Field(description="The highest value.")]
    mean: Annotated[float | None, Field(description="The mean.")]
    autocorrelation: Annotated[
        float | None, Field(description="Correlation of neighboring readings of a device, of those looked at.")
    ]
    block_rows: Annotated[
        int, Field(description="Number of neighboring readings of a device that are nearly the same.")
    ]


class CorrelationView(TypedDict):
    """The correlation of two features."""

    one: Annotated[str, Field(description="A feature.")]
    other: Annotated[str, Field(description="Another one.")]
    r: Annotated[float, Field(description="Pearson's coefficient, -1 to 1.")]


class HistogramView(TypedDict):
    """How the values of a feature are spread in each class."""

    feature: Annotated[str, Field(description="The feature.")]
    edges: Annotated[list[float], Field(description="The edges of the bins.")]
    counts: Annotated[
        dict[str, list[int]],
        Field(description='Readings in each bin by label, of those looked at; "" has those without a label.'),
    ]


class PairsView(TypedDict):
    """Some readings, drawn evenly by class, to see two features together."""

    features: Annotated[list[str], Field(description="The features, in the order of the values.")]
    labels: Annotated[list[str | None], Field(description="The label of each reading.")]
    values: Annotated[list[list[float | None]], Field(description="The values of each reading.")]


class OddityView(TypedDict):
    """Something to know before training."""

    kind: Annotated[Kind, Field(description="The kind of oddity.")]
    sentence: Annotated[str, Field(description="What was found.")]
    advice: Annotated[str, Field(description="What to do about it.")]
    feature: Annotated[str | None, Field(description="The feature that it is in; null if it is in none.")]
    device: Annotated[str | None, Field(description="The device concerned; null if it is not about a single device.")]


DescriptionView = TypedDict(
    "DescriptionView",
    {
        "rows": Annotated[int, Field(description="Number of readings.")],
        "devices": Annotated[int, Field(description="Number of devices.")],
        "from": Annotated[str | None, Field(description="Time of the first reading; ISO 8601, UTC; null if none.")],
        "to": Annotated[str | None, Field(description="Time of the last reading; ISO 8601, UTC; null if none.")],
        "classes": Annotated[dict[str, int], Field(description="Readings by label, the most frequent first.")],
        "unlabeled": Annotated[int, Field(description="Readings without a label.")],
        "by_device": Annotated[
            dict[str, dict[str, int]], Field(description="Labeled readings by device and label; the first 200 devices.")
        ],
        "by_day": Annotated[
            dict[str, dict[str, int]], Field(description="Labeled readings by day and label, for the last 400 days.")
        ],
        "interval_s": Annotated[
            float | None, Field(description="Median time between two readings of a device; null if not known.")
        ],
        "gaps": Annotated[list[GapView], Field(description="The 20 longest gaps.")],
        "gap_count": Annotated[int, Field(description="Number of gaps.")],
        "features": Annotated[list[FeatureView], Field(description="The features.")],
        "duplicates": Annotated[
            int, Field(description="Readings with the same device, time and values as another one.")
        ],
        "correlations": Annotated[
            list[CorrelationView], Field(description="Correlations of pairs of features, strongest first.")
        ],
        "histograms": Annotated[list[HistogramView], Field(description="A histogram for each feature with values.")],
        "pairs": Annotated[PairsView, Field(description="Readings to see two features together.")],
        "looked_at": Annotated[
            int,
            Field(
                description="Readings, evenly over devices and time, that medians, correlations and findings about the "
                "course of a device come from; the rest is counted over all."
            ),
        ],
        "findings": Annotated[list[OddityView], Field(description="Findings: what is odd, and what to do about it.")],
    },
)
DescriptionView.__doc__ = "What is to be seen in the readings of a data set."
