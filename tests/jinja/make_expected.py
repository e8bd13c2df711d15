"""Writes what dbt makes of the templates in `cases/*.txt` into those files.

    python make_expected.py [FILE ...]

Needs a Python with dbt-core 1.11 and dbt-duckdb. Each template is rendered by dbt itself, in the context of the model
`subject` of `project/`: `[run]` (what a case is without a mark) as when the model is compiled, `[parse]` as when the
project is parsed, `[native]` as a value in YAML is. The tests in `tests/jinja.rs` read the same files.

A case is

    === title [phase]
    the template
    --- dbt                  or `--- dbt fails`: written by this script
    the text, or dbt's message
    --- strata               or `--- strata fails`: only where it is not the same; written by the tests
    the text, or strata's message
    --- because              only where strata gives something else on purpose
    the sentence of docs/differences.md that says so
"""

import copy
import os
import pathlib
import re
import shutil
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ENVIRONMENT = {"CASES_CITY": "Oslo", "CASES_NUMBER": "42", "CASES_EMPTY": ""}
HEADER = re.compile(r"^(?P<title>.*?)(?: \[(?P<phase>run|parse|native)\])?$")


def read(path):
    """The head of a file and its cases: (title, phase, template, {section: text})."""
    head, *blocks = path.read_text().split("\n=== ")
    cases = []
    for block in blocks:
        first, _, rest = block.partition("\n")
        match = HEADER.match(first)
        template, *sections = re.split(r"^--- (?=dbt|strata|because)", rest, flags=re.MULTILINE)
        texts = {}
        for section in sections:
            name, _, text = section.partition("\n")
            texts[name] = text.removesuffix("\n")
        template = template.removesuffix("\n")
        cases.append((match["title"], match["phase"] or "run", template, texts))
    return head, cases


def write(path, head, cases):
    parts = []
    for title, phase, template, texts in cases:
        mark = "" if phase == "run" else f" [{phase}]"
        lines = [f"{title}{mark}", template]
        for name, text in texts.items():
            lines += [f"--- {name}", text]
        parts.append("\n".join(lines) + "\n")
    path.write_text(head + "".join("\n=== " + part for part in parts))


def message(error):
    """What went wrong, without the place and without what differs from machine to machine."""
    text = getattr(error, "msg", None) or str(error)
    text = re.sub(r"(at|object) 0x[0-9a-f]+", r"\1 0x…", str(text)).strip()
    return "\n".join(line.rstrip() for line in text.splitlines()) or type(error).__name__


class Renderer:
    def __init__(self, config, manifest):
        from dbt.adapters.factory import get_adapter

        self.config, self.manifest = config, manifest
        self.adapter = get_adapter(config)
        self.subject = manifest.nodes["model.cases.subject"]

    def context(self, node, phase):
        from dbt.context.context_config import ContextConfig
        from dbt.context.providers import generate_parser_model_context, generate_runtime_model_context

        if phase == "parse":
            config = ContextConfig(self.config, node.fqn, node.resource_type, "cases")
            return generate_parser_model_context(node, self.config, self.manifest, config)
        return generate_runtime_model_context(node, self.config, self.manifest)

    def render(self, template, phase):
        from dbt.clients.jinja import get_rendered

        # Rendering leaves traces in a node.
        node = copy.deepcopy(self.subject)
        with self.adapter.connection_named("cases"):
            context = self.context(node, phase)
            if phase == "native":
                return repr(get_rendered(template, context, node, native=True))
            return get_rendered(template, context, node, capture_macros=phase == "parse")


def render_all(renderer, paths):
    for path in paths:
        head, cases = read(path)
        done = []
        for title, phase, template, texts in cases:
            kept = {name: text for name, text in texts.items() if not name.startswith("dbt")}
            try:
                result = {"dbt": renderer.render(template, phase)}
            except (Exception, RecursionError) as error:
                result = {"dbt fails": message(error)}
            done.append((title, phase, template, result | kept))
        write(path, head, done)
        print(f"{path.name}: {len(done)} cases", file=sys.stderr)


def main():
    paths = [pathlib.Path(name).resolve() for name in sys.argv[1:]] or sorted((HERE / "cases").glob("*.txt"))
    os.environ.update(ENVIRONMENT)
    from dbt.cli.main import dbtRunner
    from dbt.task.compile import CompileTask

    def run(task):
        task.compile_manifest()
        render_all(Renderer(task.config, task.manifest), paths)

    CompileTask.run = run
    CompileTask.interpret_results = lambda task, results: True
    with tempfile.TemporaryDirectory() as directory:
        project = pathlib.Path(directory) / "project"
        shutil.copytree(HERE / "project", project)
        os.chdir(project)
        outcome = dbtRunner().invoke(
            ["--quiet", "--no-send-anonymous-usage-stats", "compile", "--project-dir", ".", "--profiles-dir", "."]
        )
        os.chdir("/")
        if outcome.exception:
            raise outcome.exception


if __name__ == "__main__":
    main()
