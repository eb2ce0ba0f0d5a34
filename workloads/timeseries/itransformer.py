"""iTransformer: a Transformer encoder whose tokens are the variates of a time series, each with its whole past."""

from neupims.graph import Config, Tracer, Value, architecture, variant


class ITransformer(Config):
    """Sizes of an iTransformer and of what it forecasts."""

    variates: int
    layers: int
    width: int = 512
    hidden: int = 512
    """Width of the hidden layer of the feed-forward network."""
    heads: int = 8
    marks: int = 4
    """Features of the time stamp, which are tokens as well; their forecasts are dropped."""
    lookback: int = 96
    """Steps of the past that are seen."""
    horizon: int = 96
    """Steps that are forecast."""


# Sizes: the scripts that are published with Liu et al. 2024 (scripts/multivariate_forecasting of thuml/iTransformer),
# which embed hourly time stamps, four features, for all data sets but Solar and PEMS.
@architecture(
    "itransformer",
    paper="iTransformer: Inverted Transformers Are Effective for Time Series Forecasting, arXiv:2310.06625",
    family="timeseries",
    passes="forward",
    default="ecl",
)
@variant("ecl", variates=321, layers=3)
@variant("traffic", variates=862, layers=4)
@variant("weather", variates=21, layers=3)
@variant("solar", variates=137, layers=2, marks=0)
@variant("pems03", variates=358, layers=4, marks=0)
@variant("ett", variates=7, layers=2, width=256, hidden=256)
@variant("exchange", variates=8, layers=2, width=128, hidden=128)
def itransformer(net: Tracer, cfg: ITransformer) -> None:
    """Forecaster that attends over variates, not over time."""
    series = net.input("series", net.batch, cfg.lookback, cfg.variates)
    mean = net.mean(series, axis=1, keep=True)
    deviation = net.unary("sqrt", net.reduce("variance", series, axis=1, keep=True))
    x = net.linear(variate_tokens(net, cfg, (series - mean) / deviation), cfg.width, name="embedding")
    for _ in net.repeat(cfg.layers, "layer"):
        x = net.layer_norm(x + attention(net, cfg, x), name="norm1")
        hidden = net.gelu(net.linear(x, cfg.hidden, name="fc1"))
        x = net.layer_norm(x + net.linear(hidden, cfg.width, name="fc2"), name="norm2")
    forecast = net.linear(net.layer_norm(x, name="final_norm"), cfg.horizon, name="projection")
    forecast = net.permute(net.slice(forecast, 0, cfg.variates, axis=1), 0, 2, 1)
    net.output(forecast * deviation + mean)


def variate_tokens(net: Tracer, cfg: ITransformer, series: Value) -> Value:
    """One token for each variate and each feature of the time stamp, as wide as the past."""
    variates = net.permute(series, 0, 2, 1)
    if cfg.marks == 0:
        return variates
    return net.concat(variates, net.input("marks", net.batch, cfg.marks, cfg.lookback), axis=1, name="tokens")


def attention(net: Tracer, cfg: ITransformer, x: Value) -> Value:
    """Multi-head attention between variates."""
    with net.scope("attention"):
        q, k, v = (net.linear(x, cfg.width, name=name) for name in ("q", "k", "v"))
        return net.linear(net.attend_all(q, k, v, heads=cfg.heads), cfg.width, name="projection")
