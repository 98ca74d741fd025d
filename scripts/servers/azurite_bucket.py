"""Makes a container at Azurite, which has none: azurite_container.py PORT KEY CONTAINER."""

import base64
import hashlib
import hmac
import sys
import urllib.request
from email.utils import formatdate

ACCOUNT = "devstoreaccount1"
VERSION = "2021-12-02"

port, key, container = sys.argv[1:]
date = formatdate(usegmt=True)
signed = f"x-ms-date:{date}\nx-ms-version:{VERSION}\n/{ACCOUNT}/{ACCOUNT}/{container}\nrestype:container"
code = hmac.new(base64.b64decode(key), ("PUT" + "\n" * 12 + signed).encode(), hashlib.sha256).digest()
request = urllib.request.Request(
    f"http://127.0.0.1:{port}/{ACCOUNT}/{container}?restype=container",
    method="PUT",
    headers={
        "x-ms-date": date,
        "x-ms-version": VERSION,
        "Authorization": f"SharedKey {ACCOUNT}:{base64.b64encode(code).decode()}",
        "Content-Length": "0",
    },
)
urllib.request.urlopen(request, timeout=20).close()
