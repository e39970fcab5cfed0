"""Each option changes what it says, and nothing else; nonsense is refused in one line."""

import dataclasses

import pytest

from gcnet_caffe import nets
from gcnet_caffe.cli import main
from gcnet_caffe.errors import UsageError
from gcnet_caffe.formats import caffe_pb, parse_text, to_text
from gcnet_caffe.nets.solver import build_solver


def build(variant="S1R1", file=0, **options):
    options = dataclasses.replace(nets.net_defaults(variant), **options)
    text = list(nets.net_files(variant, options).values())[file]
    return parse_text(text, caffe_pb.NetParameter)


def layers(net):
    return {layer.name: layer for layer in net.layer}


def changed(option, value, **other):
    """Return the names of the layers that differ from the default net's; `other` are both's."""
    before, after = layers(build(**other)), layers(build(**other, **{option: value}))
    assert [n for n in before if n in after] == [n for n in after if n in before]
    return {n for n in {*before, *after} if before.get(n) != after.get(n)}


def test_variants_have_the_losses_of_figure_2():
    losses = {
        name: {
            layer.name for layer in build(name).layer if "Loss" in layer.type and layer.loss_weight
        }
        for name in nets.ALL_VARIANTS
    }
    reconstruction = {"loss_query", "loss_reference"}
    assert losses == {
        "cnn": set(),
        "metric": {"loss_contrastive"},
        "S0R0": {"loss_generation"},
        "S1R0": {"loss_generation", "loss_contrastive"},
        "S0R1": {"loss_generation", *reconstruction},
        "S1R1": {"loss_generation", "loss_contrastive", *reconstruction},
        "pretrain-autoencoder": {"loss_reconstruction"},
        "pretrain-identity": set(),
        "reconstruct": {"loss_generation"},
        "disentangle": {"loss_generation"},
    }


def test_padding_and_classes():
    net = layers(build(padding="valid", num_classes=6))
    assert list(net["enc1_conv1"].convolution_param.pad) == [0]
    assert net["fc2"].inner_product_param.num_output == 6
    assert net["loss_classification"].loss_param.ignore_label == 6
    assert net["similar"].power_param.shift == -5  # relu(label - 5): 1 for label 6 only


def test_neutral_as_a_class_and_no_neutral_queries():
    net = layers(build(num_classes=8, neutral_class=True))
    assert not net["loss_classification"].loss_param.HasField("ignore_label")
    assert net["similar"].power_param.shift == -6
    net = layers(build(neutral_queries=False))
    assert not net["accuracy"].accuracy_param.HasField("ignore_label")


@pytest.mark.parametrize(
    "option, value, names",
    [
        ("lambda_g", 2.0, {"loss_generation"}),
        ("lambda_s", 0.5, {"loss_contrastive"}),
        ("lambda_ri", 0.5, {"loss_query"}),
        ("lambda_rr", 0.5, {"loss_reference"}),
        ("margin", 0.5, {"loss_contrastive", "inside_margin"}),
        ("dropout", 0.25, {"fc1_dropout"}),
        ("fc_relu", False, {"fc1_relu"}),
        ("delta_scale", "none", {"delta_scaled", "fc1_dropout"}),
        ("batch_size", 8, set()),  # the second Data layer of the name hides the first
        ("test_batch_size", 2, {"data"}),
        ("data", "elsewhere", {"data"}),
        ("last_block", "slow", {f"{d}_scale3" for d in ("dec1", "dec2i", "dec2r")}),
        ("last_block", "none", {f"{d}_scale3" for d in ("dec1", "dec2i", "dec2r")}),
    ],
)
def test_an_option_changes_its_layers_only(option, value, names):
    assert changed(option, value) == names


HIDDEN = {f"disc_conv{i}{branch}" for i in (1, 2, 3, 4) for branch in ("", "_generated")}


@pytest.mark.parametrize(
    "generator, file, option, value, names",
    [
        ("vae", 0, "lambda_kl", 0.1, {"loss_kl"}),
        ("vae", 0, "lambda_g", 0.1, {"loss_generation"}),
        ("vae", 0, "nz", 64, {"enc1_conv5", "latent_noise", "loss_kl"}),
        ("vae", 0, "ndf", 32, {f"enc1_conv{i}" for i in (1, 2, 3, 4)}),
        ("vae", 0, "ngf", 32, {f"dec1_deconv{i}" for i in (1, 2, 3, 4)}),
        ("vae", 0, "test_batch_size", 2, {"data", "latent_noise"}),
        ("dcgan", 0, "nz", 64, {"enc1_projection"}),
        ("dcgan", 0, "lambda_g", 0.1, {"loss_generation"}),
        ("dcgan", 0, "ndf", 32, {name for name in HIDDEN if name.endswith("generated")}),
        ("dcgan", 1, "ndf", 32, HIDDEN),
        ("dcgan", 1, "lambda_g", 0.1, set()),
        ("dcgan", 0, "lambda_kl", 0.1, set()),
    ],
)
def test_an_option_of_a_generator_changes_its_layers_only(generator, file, option, value, names):
    assert changed(option, value, generator=generator, file=file) == names


def test_batch_size_reaches_the_train_layer():
    assert build(batch_size=8).layer[0].data_param.batch_size == 8


def test_raw_embeddings_need_no_unit_length():
    net = layers(build(contrastive_on="raw"))
    assert list(net["loss_contrastive"].bottom) == [
        "query_embedding",
        "reference_embedding",
        "similar",
    ]
    assert not [name for name in net if name.endswith("_unit")]


def test_decoders_learn_ten_times_as_fast_except_their_last_scale():
    for name, layer in layers(build()).items():
        mults = {round(spec.lr_mult, 6) for spec in layer.param}
        if name.startswith("dec") and layer.type in ("Deconvolution", "Scale"):
            assert mults == ({0.01} if name.endswith("_scale3") else {10.0}), name
        elif layer.type == "BatchNorm":
            assert mults == {0.0}, name
        else:
            assert mults <= {1.0}, name
    plain = layers(build(last_block="plain", decoder_lr_mult=3.0))
    assert {spec.lr_mult for spec in plain["dec1_scale3"].param} == {3.0}


def test_reconstruction_belongs_to_r1():
    with pytest.raises(UsageError, match="S1R0 has no decoders 2"):
        nets.net_files("S1R0", nets.net_defaults("S1R0"), with_reconstruction=True)


@pytest.mark.parametrize(
    "flags, wanted",
    [
        ("--variant S2R2", "--variant: found 'S2R2', wanted one of cnn, metric, S0R0"),
        ("--padding full", "--padding: found 'full', wanted one of same, valid"),
        ("--margin 0", "--margin: found 0.0, wanted more than 0"),
        ("--dropout 1", "--dropout: found 1.0, wanted 0 <= ratio < 1"),
        ("--num-classes 0", "--num-classes: found 0, wanted at least 1"),
        ("--fold -1", "--fold -1: wanted at least 0"),
        ("--neutral-class --no-neutral-queries", "--neutral-class needs neutral queries"),
        ("--variant cnn --with-reconstruction", "cnn has no decoders 2"),
        ("--variant cnn --generator vae", "--generator vae: cnn has no generator"),
        ("--generator gan", "--generator: found 'gan', wanted one of ae, vae, dcgan"),
        ("--nz 0", "--nz: found 0, wanted at least 1"),
        ("--variant cnn --no-classifier", "--no-classifier: nothing is left of cnn"),
        ("--variant disentangle --no-classifier", "--no-classifier: disentangle has none"),
    ],
)
def test_a_bad_value_is_one_line_and_exit_2(flags, wanted, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["make-net", *flags.split()]) == 2
    err = capsys.readouterr().err
    assert wanted in err and err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_gamma_readings():
    read = {}
    for reading in ("power-0.75", "gamma-0.75-power-0.75", "gamma-0.75-constant"):
        options = nets.SolverOptions(net="n", snapshot_prefix="s", gamma_reading=reading)
        solver = build_solver(options)
        read[reading] = [solver.base_lr * (1 + solver.gamma * i) ** -solver.power for i in (0, 100)]
    assert read["power-0.75"][1] == pytest.approx(0.001 * 1.01**-0.75)
    assert read["gamma-0.75-power-0.75"][1] == pytest.approx(0.001 * 76**-0.75)
    assert read["gamma-0.75-constant"] == pytest.approx([0.001, 0.001])
    assert "solver_mode" not in to_text(solver)


@pytest.mark.parametrize(
    "count, wanted",
    [
        (1, (1, 1)),
        (98, (98, 1)),
        (144, (72, 2)),
        (131, (131, 1)),
        (917, (131, 7)),
        (251, (251, 1)),
        (257, (1, 257)),
        (2018, (2, 1009)),
    ],
)
def test_test_batches_cover_the_set_exactly(count, wanted):
    assert nets.exact_test(count) == wanted
    for n in range(1, 400):
        batch, iterations = nets.exact_test(n)
        assert batch * iterations == n and batch <= 256
