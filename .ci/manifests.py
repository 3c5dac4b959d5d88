"""Checks Kubernetes manifests: manifests.py FILE...

What Kubernetes itself knows is checked against its own schemas, strictly; what operators bring against
those in `schemas/`, which have the fields that are used here and no others. Of anything else nobody
could say whether it is right, so it is a fault.
"""

import json
import pathlib
import sys

import jsonschema
import kubernetes_validate
import yaml

SCHEMAS = pathlib.Path(__file__).parent / "schemas"


def fault(document):
    """What is wrong with it, or None."""
    kind = document.get("kind", "nothing")
    own = SCHEMAS / f"{kind}.json"
    try:
        if own.exists():
            jsonschema.validate(document, json.loads(own.read_text()))
        else:
            version = kubernetes_validate.latest_version()
            kubernetes_validate.validate(document, version, strict=True)
    except kubernetes_validate.SchemaNotFoundError:
        return "no schema"
    except (jsonschema.ValidationError, kubernetes_validate.ValidationError) as error:
        return f"{'/'.join(map(str, error.path))}: {error.message}"
    return None


def main(paths):
    checked = faults = 0
    for path in paths:
        for document in yaml.safe_load_all(pathlib.Path(path).read_text()):
            checked += 1
            found = fault(document)
            if found:
                faults += 1
                name = document.get("metadata", {}).get("name")
                print(f"{path}: {document.get('kind')} {name}: {found}", file=sys.stderr)
    print(f"{checked} manifests checked")
    return 1 if faults or not checked else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
