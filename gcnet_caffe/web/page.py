"""The page, served to this machine: nothing leaves it, and nothing is fetched from elsewhere.

Gradio asks a server of its makers for news, loads fonts and keeps uploads unless it is told
otherwise: `serve` tells it before it is imported.
"""

import contextlib
import os
import tempfile
import threading
from pathlib import Path

from gcnet_caffe.errors import UsageError
from gcnet_caffe.web.result import result_html

#: Megabytes (2^20 bytes) of a picture, if nothing else is said.
MAX_UPLOAD = 20

_OFFLINE = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}


@contextlib.contextmanager
def serve(recognizer, host="127.0.0.1", port=None, max_upload=MAX_UPLOAD):
    """Serve the page until the block is left; uploads are removed then.

    Parameters
    ----------
    recognizer : Recognizer
    host : str
        The address to listen at; by default this machine's own, which no other reaches.
    port : int, optional
        By default the first that is free from 7860 on.
    max_upload : float
        Megabytes (2^20 bytes) of a picture at most.

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
        gradio = _import_gradio()
        page = _page(gradio, recognizer, max_upload)
        try:
            yield _launch(gradio, page, host, port, max_upload)
        finally:
            page.close(verbose=False)


def wait():
    """Wait for Ctrl-C."""
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()


def _import_gradio():
    try:
        import gradio
    except ModuleNotFoundError:
        raise UsageError("the page needs Gradio: pip install 'gcnet-caffe[web]'") from None
    return gradio


def _page(gradio, recognizer, max_upload):
    with gradio.Blocks(title="Facial expressions", analytics_enabled=False) as page:
        gradio.Markdown("# Facial expressions")
        if recognizer.model.facts["training"].get("synthetic"):
            gradio.HTML(f'<p class="notice">{_SYNTHETIC}</p>', apply_default_css=False)
        with gradio.Row():
            with gradio.Column(scale=2, min_width=280):
                picture = gradio.Image(
                    label=f"Picture, at most {max_upload:g} MB",
                    sources=["upload", "webcam"],
                    buttons=[],
                    height=320,
                )
                # else Gradio decodes it, with limits that are not ours
                picture.preprocess = lambda payload: payload.path if payload else None
            with gradio.Column(scale=3, min_width=320):
                found = gradio.HTML(result_html(recognizer, None), apply_default_css=False)
        picture.change(
            lambda path: result_html(recognizer, path),
            picture,
            found,
            api_visibility="private",
            concurrency_limit=1,  # as a Recognizer wants
        )
    return page


_SYNTHETIC = (
    "This network was trained on <strong>synthetic faces only</strong>. It shows how things work; "
    "what it says of photographs means little. Give your own with <code>--model</code>."
)


def _launch(gradio, page, host, port, max_upload):
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
    return address
