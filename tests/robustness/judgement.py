"""What an answer of the fault matrix must be: its kind, its HTTP status, its promises about asking again."""

from schemas.answers import AnswerSchema
from tests.robustness.rules import GOOD, KINDS, LOST

KEYS = list(AnswerSchema().fields)


def result_of(answer):
    """The status of a success, else the error's code."""
    body = answer.json
    return body["status"] if body["success"] else body["errorCode"]


def judge_answer(cell, answer, wrong):
    """The answer's result; what is wrong with the answer is added to `wrong`."""
    body, outcome = answer.json, result_of(answer)
    if outcome not in cell.allowed:
        wrong.append(f"ended in {outcome} ({body['errorMessage'][:200]}), not {' or '.join(sorted(cell.allowed))}")
    if list(body) != KEYS:
        wrong.append("the answer's keys are not those of the contract")
    status, retryable, _ = (200, False, True) if outcome in GOOD else KINDS.get(outcome, (0, False, False))
    if (answer.status_code, body["retryable"]) != (status, retryable):
        wrong.append(f"{outcome} came as {answer.status_code}, retryable {body['retryable']}")
    wait = body["retryAfterSeconds"]
    if answer.headers.get("Retry-After", "0") != str(wait) or (wait and not retryable):
        wrong.append(f"Retry-After {answer.headers.get('Retry-After')} beside retryAfterSeconds {wait}")
    genesys_says = cell.role.rule == "call" or (cell.role.rule == "invite" and not cell.invited_anyway)
    lowest, highest = cell.way.wait
    if retryable and genesys_says and outcome != LOST and not lowest <= wait <= highest:
        wrong.append(f"retryAfterSeconds {wait}, not {lowest} to {highest}")
    return outcome
