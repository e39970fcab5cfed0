"""Why jobs failed: the error is found in the logs of what a training starts from."""

from gcnet_caffe.experiment.failures import mark_failures
from tests.experiment.test_plan import planned


def test_a_fold_that_was_not_run_tells_why_the_first_training_before_it_failed(tmp_path):
    plan = planned(tmp_path, start={"data": {"manifest": "many.csv"}}, sequences=False)
    first, start, fold = (
        "pretrain/default/pretrain-identity/seed1",
        "start/default/cnn/seed1",
        "nets/default/cnn/fold0/seed1",
    )
    log = tmp_path / "logs" / first / "train.log"
    log.parent.mkdir(parents=True)
    log.write_text("gcnet train-folder: error: disk full\n")
    failed = mark_failures(tmp_path, plan, [first, start, fold])
    assert failed == dict.fromkeys([first, start, fold], "disk full")
    (tmp_path / "logs" / "start.log").write_text("gcnet make-lmdb: error: no face\n")
    log.unlink()
    assert mark_failures(tmp_path, plan, [start])[start] == "no face"
