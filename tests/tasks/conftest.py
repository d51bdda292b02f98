"""The closing figures of test_oracles.py: rows compared per task and length, and what was left out and why."""


def pytest_terminal_summary(terminalreporter):
    reports = terminalreporter.getreports("passed")
    lines = [text for report in reports for name, text in report.user_properties if name == "oracle"]
    if lines:
        terminalreporter.section("rows compared with the oracle (task, CPU time, length:rows)")
        for line in lines:
            terminalreporter.write_line(line)
