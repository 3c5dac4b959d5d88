"""Checks Kubernetes manifests: manifests.py FILE...

Kubernetes resources are validated strictly against their schemas, and custom resources against those in
`schemas/`, which list only the fields in use. Any other kind is an error. Pods must meet the Pod Security
Standard *restricted*; in addition, their file systems are read-only, they mount no service account token,
and their memory is limited.
"""

import json
import pathlib
import sys

import jsonschema
import kubernetes_validate
import yaml

SCHEMAS = pathlib.Path(__file__).parent / "schemas"


def schema_error(document):
    """The validation error of a document, or None."""
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


def pod_of(document):
    """The pod template of a document, if it has one."""
    return document.get("spec", {}).get("template", {}).get("spec")


def violations(pod):
    """The violations of the pod security rules."""
    inside = pod.get("securityContext", {})
    if not inside.get("runAsNonRoot") or not inside.get("runAsUser"):
        yield "may run as root"
    if inside.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield "has no seccomp profile"
    if pod.get("automountServiceAccountToken") is not False:
        yield "mounts a service account token"
    for container in pod.get("initContainers", []) + pod["containers"]:
        name = container["name"]
        inside = container.get("securityContext", {})
        if inside.get("allowPrivilegeEscalation") is not False:
            yield f"{name} may escalate"
        if inside.get("capabilities", {}).get("drop") != ["ALL"]:
            yield f"{name} keeps capabilities"
        if not inside.get("readOnlyRootFilesystem"):
            yield f"{name} may write to its image"
        if "memory" not in container.get("resources", {}).get("limits", {}):
            yield f"{name} has no memory limit"


def errors_of(document):
    """All errors of a document."""
    found = schema_error(document)
    if found:
        yield found
    pod = pod_of(document)
    if pod and "containers" in pod:
        yield from violations(pod)


def main(paths):
    checked = errors = 0
    for path in paths:
        for document in yaml.safe_load_all(pathlib.Path(path).read_text()):
            checked += 1
            for found in errors_of(document):
                errors += 1
                name = document.get("metadata", {}).get("name")
                print(f"{path}: {document.get('kind')} {name}: {found}", file=sys.stderr)
    print(f"{checked} manifests checked")
    return 1 if errors or not checked else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
