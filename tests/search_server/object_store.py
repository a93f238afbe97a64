"""An S3 service of moto on loopback, with a bucket."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

BUCKET = "nas"
_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@contextmanager
def start_s3() -> Iterator[str]:
    """Serve until the end, and yield the URL of a folder in a bucket, for this process and its children."""
    s3fs = pytest.importorskip("s3fs", reason="not installed: pip install s3fs")
    moto = pytest.importorskip("moto.server", reason="not installed: pip install 'moto[s3,server]'")
    server = moto.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**_CREDENTIALS, "AWS_ENDPOINT_URL": f"http://{host}:{port}"}.items():
            patch.setenv(name, value)
        s3fs.S3FileSystem().mkdir(BUCKET)
        yield f"s3://{BUCKET}/edgenas"
    server.stop()
