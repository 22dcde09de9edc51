"""SRVGGNetCompact as spandrel has it, which its loader takes with PReLU only."""
from spandrel import ModelLoader
from spandrel.architectures.Compact import Compact


def case(name, shape, scale, channels, convs, activation, wrap, colors=3):
    module = Compact(num_in_ch=colors, num_out_ch=colors, num_feat=channels, num_conv=convs, upscale=scale,
                     act_type=activation)
    config = {"scale": scale, "convs": convs, "channels": channels, "activation": activation, "colors": colors}
    hint = {"relu": "relu", "leakyrelu": "leaky-relu"}.get(activation)

    def run(module, x):
        return (ModelLoader().load_from_state_dict(module.state_dict()).model.eval() if hint is None else module)(x)
    return {
        "name": f"srvgg_{name}", "module": module, "config": {"srvgg": config}, "layout": "basicsr", "shape": shape,
        "save": wrap, "run": run, "hints": {"activation": hint},
    }


CASES = [
    case("prelu_x4", [2, 3, 6, 5], 4, 10, 3, "prelu", lambda state: {"params": state}),
    case("prelu_x1", [1, 3, 6, 5], 1, 7, 2, "prelu", lambda state: {"params_ema": state, "params": state}),
    case("prelu_luma_x2", [1, 1, 6, 5], 2, 5, 1, "prelu", lambda state: {"params": state}, colors=1),
    case("relu_x3", [1, 3, 5, 4], 3, 6, 4, "relu", lambda state: {"params": state}),
    case("leaky_relu_x2", [1, 3, 5, 4], 2, 8, 0, "leakyrelu", dict),
]
