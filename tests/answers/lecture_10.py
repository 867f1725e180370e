"""Students' answers for lecture 10: right answers in other styles, and some wrong ones."""


def chain_step_by_step(sizes):
    up = down = 0
    for before, after in zip(sizes[1:], sizes[2:], strict=False):
        up += after * before * sizes[0]
    for before, after in zip(sizes, sizes[1:-1], strict=False):
        down += sizes[-1] * after * before
    return [up, down]


def kept_by_sets(uses, outputs):
    most, here = 0, set()
    waiting = [j for i in uses for j in uses[i]] + list(outputs)
    for i in uses:
        here.add(i)
        for j in uses[i]:
            waiting.remove(j)
        here &= set(waiting)
        most = max(most, len(here))
    return most


def outputs_counted_at_the_end(uses, outputs):
    most = len(outputs)
    for step in uses:
        later = {j for i in uses if i > step for j in uses[i]}
        most = max(most, sum(i <= step and i in later for i in uses))
    return most


RIGHT = {
    "kept_for_the_way_back": [
        lambda: dict(a1=True, a2=True, a3=0, a4=1, a5=False, a6=True, a7=False)
    ],
    "chain_multiplications": [chain_step_by_step],
    "slide_misleads": [lambda: (6, 50, 1, 5), lambda: [101, 1000, 2, 3, 100]],
    "most_kept": [kept_by_sets],
}

WRONG = {"most_kept": [outputs_counted_at_the_end]}
