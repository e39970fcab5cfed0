"""The page, served to this machine: nothing leaves it, and nothing is fetched from elsewhere.

By default Gradio asks a server of its makers for news, loads fonts and keeps uploads. `serve`
switches that off before Gradio is imported.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from gcnet_caffe.errors import UsageError, extra
from gcnet_caffe.nets.layer_names import GENERATED_REFERENCE
from gcnet_caffe.recognition.recognizer import Recognizer
from gcnet_caffe.web.live import live_answer
from gcnet_caffe.web.result import result_html, templates

#: Megabytes (2^20 bytes) of a picture, by default.
MAX_UPLOAD = 20

_OFFLINE = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}


@contextlib.contextmanager
def serve(
    recognizer: Recognizer,
    host: str = "127.0.0.1",
    port: int | None = None,
    max_upload: float = MAX_UPLOAD,
) -> Iterator[str]:
    """Serve the page until the block is left; then its uploads are removed.

    Parameters
    ----------
    recognizer : Recognizer
    host : str
        The address to listen at; the default can be reached from this machine only.
    port : int, optional
        By default the first free one from 7860 on.
    max_upload : float
        Megabytes (2^20 bytes) that a picture may have.

    Yields
    ------
    str
        The page's address.

    Raises
    ------
    UsageError
        Gradio is not installed, or the port is not free.
    """
    os.environ.update(_OFFLINE)
    with tempfile.TemporaryDirectory(prefix="gcnet-web-") as uploads:
        os.environ["GRADIO_TEMP_DIR"] = uploads
        with extra("web", "the page"):
            import gradio
        page = _page(gradio, recognizer, max_upload)
        try:
            yield _launch(gradio, page, host, port, max_upload)
        finally:
            page.close(verbose=False)


def wait() -> None:
    """Wait for Ctrl-C."""
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()


def _page(gradio: Any, recognizer: Recognizer, max_upload: float) -> Any:
    alone = threading.Lock()  # a Recognizer is for one thread
    compares = GENERATED_REFERENCE in recognizer.model.outputs

    def look_at_files(path: str | None, neutral: str | None) -> str:
        with alone:
            return result_html(recognizer, path, neutral)

    def look(pictures: Sequence[str]) -> dict[str, Any]:
        with alone:
            return live_answer(recognizer, *pictures)

    with gradio.Blocks(title="Facial expressions", analytics_enabled=False) as page:
        gradio.Markdown("# Facial expressions")
        if recognizer.model.facts["training"].get("synthetic"):
            _html(gradio, f'<p class="notice">{_SYNTHETIC}</p>')
        with gradio.Tab("Picture"), gradio.Row():
            with gradio.Column(scale=2, min_width=280):
                picture = _picture(gradio, f"Picture, at most {max_upload:g} MB", 320)
                words = "The same person's neutral face (optional)"
                neutral = _picture(gradio, words, 260, visible=compares)
            with gradio.Column(scale=3, min_width=320):
                found = _html(gradio, result_html(recognizer, None))
        with gradio.Tab("Live camera"):
            html = templates().get_template("live.html.j2").render(compares=compares)
            script = Path(__file__).with_name("live.js").read_text(encoding="utf-8")
            _html(gradio, html, js_on_load=script, server_functions=[look])
        _html(gradio, f'<p class="quiet">{_KEPT}</p>')
        changes, pictures = [picture.change, neutral.change], [picture, neutral]
        gradio.on(changes, look_at_files, pictures, found, api_visibility="private")
    return page


def _html(gradio: Any, html: str, **more: Any) -> Any:
    return gradio.HTML(html, apply_default_css=False, **more)


def _picture(gradio: Any, label: str, height: int, **more: Any) -> Any:
    sources = ["upload", "webcam"]
    picture = gradio.Image(label=label, height=height, sources=sources, buttons=[], **more)
    # else Gradio decodes it, with limits that are not ours
    picture.preprocess = lambda payload: payload.path if payload else None
    return picture


_KEPT = (
    "Your pictures go to the program that serves this page, and nowhere else. It deletes files "
    "when it ends, and does not store the pictures of the live camera."
)

_SYNTHETIC = (
    "This network was trained on <strong>synthetic faces only</strong>. It shows how things work; "
    "on photographs it is often wrong. Give your own network with <code>--model</code>."
)


def _launch(gradio: Any, page: Any, host: str, port: int | None, max_upload: float) -> str:
    try:
        _, address, _ = page.launch(
            server_name=host,
            server_port=port,
            share=False,
            quiet=True,
            prevent_thread_lock=True,
            max_file_size=round(max_upload * 2**20),
            footer_links=[],
            run_history=False,
            enable_monitoring=False,
            ssr_mode=False,
            pwa=False,
            mcp_server=False,
            theme=gradio.themes.Base(font=["system-ui", "sans-serif"], font_mono=["monospace"]),
            css_paths=Path(__file__).with_name("page.css"),
        )
    except OSError as error:
        raise UsageError(f"--port {port}: {error}") from None
    return str(address)
