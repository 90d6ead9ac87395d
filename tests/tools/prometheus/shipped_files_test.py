#!/usr/bin/env python3
"""Checks the Prometheus rules and the Grafana dashboard that are shipped against what a process really exports.

Arguments: the program exposition, the rules, promtool's tests of them, the dashboard. Prints each fault, and ends with
status 1 if there are any. Needs nothing beyond the standard library; with promtool it also parses the dashboard's
expressions.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile

TARGET_LABELS = {"job", "instance"}
faults = []


def check(condition, fault):
    if not condition:
        faults.append(fault)


def read_exposition(program):
    """Labels by the names of all metrics; and those names that had samples."""
    text = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    labels, sampled = {}, set()
    for line in text.splitlines():
        if line.startswith("#metric "):
            _, name, keys = line.split(" ")
            labels[name] = set(filter(None, keys.split(",")))
        elif sample := re.match(r"([a-z0-9_]+)(?:{(.*)})? \S+$", line):
            sampled.add(sample[1])
            keys = set(re.findall(r'(\w+)="', sample[2] or ""))
            labels.setdefault(sample[1], keys)
            check(labels[sample[1]] == keys, f"{sample[1]} has the labels {keys}, and is described with others")
    return labels, sampled


def check_expression(where, expression, labels):
    names = set(re.findall(r"\bnumaheap_\w+", expression))
    check(names or "ALERTS" in expression, f"{where}: there is no metric in {expression}")
    known = set(TARGET_LABELS)
    for name in names:
        check(name in labels, f"{where}: there is no metric {name}")
        known |= labels.get(name, set())
    if "ALERTS" in expression:
        known |= {"alertname", "alertstate", "node"}
    used = re.findall(r"([a-z_]+)=~?\"", expression)
    for group in re.findall(r"\b(?:by|without|on|ignoring) ?\(([^)]*)\)", expression):
        used += [key.strip() for key in group.split(",")]
    for key in used:
        check(key in known, f"{where}: no metric of {expression} has the label {key}")
    return known


def check_rules(path, tests_path, labels):
    with open(path) as file:
        rules = re.split(r"^ *- alert: ", file.read(), flags=re.MULTILINE)[1:]
    with open(tests_path) as file:
        tests = file.read()
    for rule in rules:
        name = rule.splitlines()[0]
        expression = re.search(r"expr: (?:>\n)?(.*?)\n *(?:for|labels):", rule, flags=re.DOTALL)[1]
        known = check_expression(name, expression, labels)
        for key in re.findall(r"\$labels\.(\w+)", rule):
            check(key in known, f"{name}: its annotations use the label {key}, which it has not")
        fires = re.findall(rf"alertname: {name}\n +exp_alerts:\n +- ", tests)
        check(fires, f"{name}: no test in which it fires")
    check(len(rules) > 5, "the rules were not understood")


def panels_of(dashboard):
    for panel in dashboard["panels"]:
        yield panel
        yield from panel.get("panels", [])


def check_dashboard(path, labels):
    with open(path) as file:
        dashboard = json.load(file)
    check(dashboard.get("schemaVersion", 0) >= 36, "the dashboard's schemaVersion is missing or old")
    check(dashboard.get("uid") and dashboard.get("title"), "the dashboard has no uid or no title")
    check("__inputs" not in dashboard, "the dashboard asks for inputs when it is loaded")
    variables = {variable["name"]: variable for variable in dashboard["templating"]["list"]}
    check(variables["datasource"]["type"] == "datasource" and variables["datasource"]["query"] == "prometheus",
          "the data source is no template variable")
    expressions = []
    for name, variable in variables.items():
        if variable["type"] == "query":
            check_expression(f"variable {name}", re.match(r"label_values\((.*), \w+\)$", variable["definition"])[1],
                             labels)
    ids, places = set(), {}
    for panel in panels_of(dashboard):
        title, place = panel["title"], panel["gridPos"]
        check(panel["id"] not in ids, f"{title}: its id is another panel's too")
        ids.add(panel["id"])
        check(place["x"] + place["w"] <= 24, f"{title}: it is beyond the right margin")
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                other = places.setdefault((x, y), title)
                check(other is title, f"{title} lies on {other}")
        if panel["type"] == "row":
            continue
        check(panel["datasource"]["uid"] == "${datasource}", f"{title}: it has a data source of its own")
        check(panel.get("description"), f"{title}: it has no description")
        check(panel.get("targets"), f"{title}: it shows nothing")
        for target in panel.get("targets", []):
            known = check_expression(title, target["expr"], labels)
            expressions.append((title, target["expr"]))
            for key in re.findall(r"{{(\w+)}}", target["legendFormat"]):
                check(key in known, f"{title}: its legend uses the label {key}, which no metric of it has")
            for variable in re.findall(r"\$(\w+)", target["expr"]):
                check(variable in variables or variable == "__rate_interval", f"{title}: there is no ${variable}")
    return expressions


def parse_expressions(expressions):
    """By promtool, as recording rules."""
    if shutil.which("promtool") is None:
        print("the dashboard's expressions were not parsed: there is no promtool (Debian's package prometheus)")
        return
    rules = [{"record": f"panel:{i}", "expr": expression.replace("$__rate_interval", "5m")}
             for i, (_, expression) in enumerate(expressions)]
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
        json.dump({"groups": [{"name": "panels", "rules": rules}]}, file)  # JSON is YAML
        file.flush()
        result = subprocess.run(["promtool", "check", "rules", file.name], capture_output=True, text=True)
        check(result.returncode == 0, f"an expression of the dashboard is wrong: {result.stdout}{result.stderr}")


def main():
    exposition, rules, tests, dashboard = sys.argv[1:]
    labels, sampled = read_exposition(exposition)
    check({"numaheap_live_bytes", "numaheap_misuses_total", "numaheap_placement_info", "numaheap_alert_firing",
           "numaheap_class_live_blocks"} <= sampled, f"a scrape gave only {sorted(sampled)}")
    check_rules(rules, tests, labels)
    parse_expressions(check_dashboard(dashboard, labels))
    for fault in faults:
        print(fault)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
