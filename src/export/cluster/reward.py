"""The run's built-in rewards, for the authors' PAPO code (reward_type batch).

`compute_score` gets the weights by name from worker.reward.reward_function_kwargs in papo.yaml, such as
{boxed_answer: 1.0}. Each reward is papo-web's of the same name; a reward of None says nothing about a completion and
counts 0. Those that begin with papo_ are the authors' own (examples/reward_function/math.py), by mathruler, which is one
of their requirements.
"""

import re
from typing import Any, Dict, List, Optional

# As JavaScript reads them: \d and \b are ASCII there.
NUMBER = re.compile(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?", re.ASCII)
SEPARATOR = re.compile(r"(\d),(?=\d{3}\b)", re.ASCII)
BOXED = re.compile(r"\\boxed\{([^{}]*)\}")
AROUND_MARKS = re.compile(r"\s*(<|>|/)\s*")
PAPO_FORM = re.compile(r"<think>.*</think>.*\\boxed\{.*\}.*", re.DOTALL)
FORM = re.compile(r"<think> [^<>\\{}]+ </think> \\boxed\{[^<>\\{}]+\}")


def boxed(text: str) -> Optional[str]:
    found = BOXED.findall(text)
    return found[-1].strip() if found else None


def given(completion: str) -> str:
    """What a completion answers: its last \\boxed{...}, or the whole text without one."""
    answer = boxed(completion)
    return completion.strip() if answer is None else answer


def last_number(text: str) -> Optional[float]:
    found = NUMBER.findall(SEPARATOR.sub(r"\1", text))
    return float(found[-1]) if found else None


def boxed_answer(completion: str, answer: str) -> Optional[float]:
    return float(boxed(completion) == answer)


def exact_match(completion: str, answer: str) -> Optional[float]:
    return float(given(completion) == answer)


def numeric(completion: str, answer: str) -> Optional[float]:
    expected = last_number(answer)
    if expected is None:
        return None
    found = last_number(given(completion))
    return float(found is not None and abs(found - expected) <= 1e-6 * max(1, abs(expected)))


def format(completion: str, answer: Optional[str]) -> Optional[float]:
    return float(FORM.fullmatch(completion.strip()) is not None)


def papo_format(completion: str, answer: Optional[str]) -> Optional[float]:
    return float(PAPO_FORM.fullmatch(AROUND_MARKS.sub(r"\1", completion)) is not None)


def papo_accuracy(completion: str, answer: str) -> Optional[float]:
    from mathruler.grader import extract_boxed_content, grade_answer

    return float(grade_answer(extract_boxed_content(AROUND_MARKS.sub(r"\1", completion)), answer))


def papo_math(completion: str, answer: str) -> Optional[float]:
    return 0.9 * papo_accuracy(completion, answer) + 0.1 * papo_format(completion, answer)


REWARDS = {
    f.__name__: f
    for f in (boxed_answer, exact_match, numeric, format, papo_accuracy, papo_format, papo_math)
}
# The rewards of a completion's form alone, which ask for no answer.
FORMS = ("format", "papo_format")


def score(name: str, completion: str, answer: Optional[str]) -> Optional[float]:
    if name in FORMS:
        return REWARDS[name](completion, answer)
    return None if answer is None else REWARDS[name](completion, str(answer).strip())


def compute_score(reward_inputs: List[Dict[str, Any]], **weights: float) -> List[Dict[str, float]]:
    """overall: the weighted sum; accuracy and format: by the first of the rewards that judges the answer, and the form."""
    unknown = set(weights) - set(REWARDS)
    if unknown or not weights:
        raise ValueError(f"reward weights {weights}: expected some of {sorted(REWARDS)}")
    of_papo = all(name.startswith("papo_") for name in weights)
    accuracy = next((name for name in weights if name not in FORMS and name != "papo_math"), None)
    accuracy = accuracy or ("papo_accuracy" if of_papo else "boxed_answer")
    form = next((name for name in weights if name in FORMS), "papo_format" if of_papo else "format")
    scores = []
    for reward_input in reward_inputs:
        completion, answer = reward_input["response"], reward_input["ground_truth"]
        parts = {name: score(name, completion, answer) or 0.0 for name in {*weights, accuracy, form}}
        scores.append(
            {
                "overall": sum(weight * parts[name] for name, weight in weights.items()),
                "format": parts[form],
                "accuracy": parts[accuracy],
            }
        )
    return scores
