"""What a stream of Arrow would unpack to, read from its heads before a library reads the stream."""

from typing import Any

TIMES: int
ALWAYS: int

def check_stream(content: Any) -> None: ...
def check_dense(content: Any, is_pandas: bool) -> None: ...
