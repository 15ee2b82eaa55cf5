"""Data sets from files: read when they are whole, refused in one sentence when they are not."""

import functools
import gzip
import hashlib
import http.server
import pickle
import threading

import numpy as np
import pytest
from PIL import Image

from autophagy.__main__ import main
from models import catalogue
from models.catalogue import IDX, Entry, checked_files, data_folder
from models.datasets import data_set
from models.fetching import fetch
from models.image_files import read_folder, read_idx, read_npz
from theory.loop import LoopError

RNG = np.random.default_rng(0)
TRAIN, TEST = (RNG.integers(0, 256, (count, 5, 4), dtype=np.uint8) for count in (6, 4))
LABELS = [np.arange(count, dtype=np.uint8) % 3 for count in (6, 4)]


def idx(array):
    """LeCun's format, written from its description."""
    header = bytes([0, 0, 0x08, array.ndim]) + b"".join(side.to_bytes(4, "big") for side in array.shape)
    return header + array.tobytes()


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A data set of four IDX files in a folder, and in the catalogue with its hashes."""
    place = tmp_path / "data" / "small"
    place.mkdir(parents=True)
    contents = [gzip.compress(idx(a), mtime=0) for a in (TRAIN, LABELS[0], TEST, LABELS[1])]
    for name, content in zip(IDX, contents, strict=True):
        (place / name).write_bytes(content)
    hashes = ["sha256:" + hashlib.sha256(content).hexdigest() for content in contents]
    entry = Entry("small", tuple(zip(IDX, hashes, strict=True)), "http://localhost:9/nothing")
    monkeypatch.setitem(catalogue.CATALOGUE, "small", entry)
    data_set.cache_clear()
    yield place
    data_set.cache_clear()


def refusal(action, *arguments):
    with pytest.raises(LoopError) as found:
        action(*arguments)
    assert str(found.value).isprintable()
    return str(found.value)


def test_idx_files_give_their_images_back(small):
    found = data_set("small", str(small.parent))
    assert np.array_equal(found.values[..., 0], np.concatenate([TRAIN, TEST]))
    assert np.array_equal(found.labels, np.concatenate(LABELS))
    assert (found.classes, found.white) == (3, 255.0)
    assert found.training.tolist() == [*range(6)]
    assert found.held_out.tolist() == [*range(6, 10)]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"\0\0", "truncated"),
        (b"\0\0\x08\x03\0\0", "truncated"),
        (idx(TRAIN)[:-1], "119 values, and its header says 120"),
        (idx(TRAIN) + b"x", "121 values"),
        (b"\x89PNG" + idx(TRAIN), "89 50 4e 47"),
        (idx(TRAIN).replace(b"\0\0\x08", b"\0\0\x0d", 1), "no IDX file of bytes"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "0 values"),
    ],
)
def test_a_damaged_idx_file_is_refused(content, reason, tmp_path):
    for name, raw in (("plain", content), ("packed.gz", gzip.compress(content))):
        (tmp_path / name).write_bytes(raw)
        assert reason in refusal(read_idx, tmp_path / name)


def test_a_damaged_gzip_file_is_refused(tmp_path):
    whole = gzip.compress(idx(TRAIN))
    for content in (whole[:-9], whole[:20], b"not gzip", whole[:30] + b"\0" * 10 + whole[40:]):
        (tmp_path / "x.gz").write_bytes(content)
        assert "cannot be read" in refusal(read_idx, tmp_path / "x.gz")


def test_a_file_that_is_not_the_published_one_is_refused(small):
    path = small / IDX[0]
    path.write_bytes(gzip.compress(idx(TRAIN[::-1].copy()), mtime=0))
    assert "not the published file" in refusal(data_set, "small", str(small.parent))
    path.unlink()
    assert "autophagy data fetch small" in refusal(data_set, "small", str(small.parent))


def test_labels_must_belong_to_their_images(tmp_path):
    from models.image_files import read_idx_pairs

    parts = (TRAIN, LABELS[1], TEST, LABELS[1])
    for name, array in zip(IDX, parts, strict=True):
        (tmp_path / name).write_bytes(gzip.compress(idx(array)))
    assert "not images and their labels" in refusal(read_idx_pairs, [tmp_path / name for name in IDX])


def test_npz_archives(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, x=TRAIN, y=np.array([7, 7, 3, 3, 9, 9]), train=np.array([1, 1, 1, 1, 0, 0], bool))
    found = read_npz(path)
    assert found.values.shape == (6, 5, 4, 1)
    assert found.labels.tolist() == [1, 1, 0, 0, 2, 2]
    assert found.training.tolist() == [0, 1, 2, 3]
    data_set.cache_clear()
    assert data_set(str(path)).held_out.tolist() == [4, 5]


@pytest.mark.parametrize(
    ("held", "reason"),
    [
        ({"z": TRAIN}, "no array named x or images"),
        ({"x": TRAIN.astype(float)}, "bytes"),
        ({"x": TRAIN[0]}, "shape"),
        ({"x": TRAIN[:0]}, "shape"),
        ({"x": np.zeros((2, 4, 4, 5), np.uint8)}, "shape"),
        ({"x": TRAIN, "y": LABELS[1]}, "labels have the shape (4,)"),
        ({"x": TRAIN, "y": np.linspace(0, 1, 6)}, "whole numbers"),
        ({"x": TRAIN, "y": np.array(["a", {}, 1, 2, 3, 4], object)}, "cannot be read"),
    ],
)
def test_an_npz_archive_that_holds_no_images_is_refused(held, reason, tmp_path):
    np.savez(tmp_path / "a.npz", **held)
    assert reason in refusal(read_npz, tmp_path / "a.npz")


def test_nothing_is_unpickled(tmp_path):
    touched = tmp_path / "touched"

    class Trap:
        def __reduce__(self):
            return touched.write_text, ("boo",)

    path = tmp_path / "a.npz"
    for content in (pickle.dumps(Trap()), b"", b"PK\x03\x04", b"PK\x03\x04" + pickle.dumps(Trap())):
        path.write_bytes(content)
        assert "cannot be read" in refusal(read_npz, path)
    assert not touched.exists()


def test_folders_of_pictures(tmp_path):
    for kind, level in (("cats", 10), ("dogs", 200)):
        (tmp_path / kind).mkdir()
        for number in range(3):
            Image.fromarray(np.full((4, 6), level + number, np.uint8)).save(tmp_path / kind / f"{number}.png")
    found = read_folder(tmp_path)
    assert found.values.shape == (6, 4, 6, 1)
    assert found.labels.tolist() == [0, 0, 0, 1, 1, 1]
    Image.fromarray(np.zeros((4, 6, 3), np.uint8)).save(tmp_path / "dogs" / "red.png")
    assert read_folder(tmp_path).values.shape == (7, 4, 6, 3)
    Image.fromarray(np.zeros((5, 6), np.uint8)).save(tmp_path / "dogs" / "tall.png")
    assert "6 x 5" in refusal(read_folder, tmp_path)
    (tmp_path / "dogs" / "tall.png").write_bytes(b"\x89PNG....")
    assert "tall.png" in refusal(read_folder, tmp_path)
    (tmp_path / "empty").mkdir()
    assert "no pictures" in refusal(read_folder, tmp_path / "empty")


def test_a_name_that_is_neither_is_refused(tmp_path):
    assert "neither of digits, mnist" in refusal(data_set, "no such set")
    np.savez(tmp_path / "one.npz", x=TRAIN[:1])
    assert "too few" in refusal(data_set, str(tmp_path / "one.npz"))


def test_where_data_lie(monkeypatch, tmp_path):
    monkeypatch.setenv("AUTOPHAGY_DATA", str(tmp_path / "a"))
    assert data_folder() == tmp_path / "a"
    assert data_folder(tmp_path / "b") == tmp_path / "b"
    monkeypatch.delenv("AUTOPHAGY_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert data_folder() == tmp_path / "autophagy" / "data"


@pytest.fixture
def server(small):
    """An HTTP server of the small data set's files, on this machine."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=str(small))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def test_fetching_from_a_server(server, small, tmp_path, capsys):
    fetch("small", tmp_path / "new", server)
    found = [path.read_bytes() for path in checked_files("small", tmp_path / "new")]
    assert found == [(small / name).read_bytes() for name in IDX]
    assert main(["data", "fetch", "small", "--from", server, "--data-dir", str(tmp_path / "again")]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 4


def test_a_download_that_is_another_file_is_refused(server, small, tmp_path):
    (small / IDX[1]).write_bytes(b"something else")
    assert "hash" in refusal(fetch, "small", tmp_path / "new", server)
    assert not (tmp_path / "new" / "small" / IDX[1]).exists()
    (small / IDX[2]).unlink()
    (small / IDX[1]).write_bytes(gzip.compress(idx(LABELS[0]), mtime=0))
    assert "download failed" in refusal(fetch, "small", tmp_path / "new", server)


def test_what_cannot_be_fetched_is_said(tmp_path):
    assert "not published in this form" in refusal(fetch, "cub200", tmp_path)
    assert "mnist, fashion-mnist" in refusal(fetch, "imagenet", tmp_path)


def test_the_data_command(small, capsys):
    folder = ["--data-dir", str(small.parent)]
    assert main(["data", "list", *folder]) == 0
    listed = capsys.readouterr().out
    assert f"in {small}" in listed
    assert "digits" in listed
    assert main(["data", "check", *folder]) == 0
    assert "small: 10 images of 5 x 4 x 1, 3 classes; 6 to train on, 4 held out" in capsys.readouterr().out
    (small / IDX[0]).write_bytes(b"")
    data_set.cache_clear()
    assert main(["data", "check", "small", *folder]) == 1
    assert "not the published file" in capsys.readouterr().out
