"""Targets: which texts are right for a crop's label, and which say nothing about it.

Every step compares its crops with one fresh caption of every class: pairs, nouns, traits, background kinds, "nothing". A
picture of a blue bicycle must prefer "a blue bicycle" to all other pairs, nouns and backgrounds, and "a bicycle" to all
other nouns and backgrounds: one logit scale for all, so that a softmax of any prompt against any negatives is calibrated.

Pairs that are held out must not teach by their absence: since no bus is yellow here, whatever is yellow would be no bus.
So "a bus" is no wrong answer for a yellow thing, nor "something yellow" for a bus.
"""

import torch

import captions
from captions import PAIRS, TRAITED
from palette import COLOURS
from street import KINDS
from things import HELD_OUT, NOUNS

NOUN_AT = len(PAIRS)
TRAIT_AT = NOUN_AT + len(NOUNS)
KIND_AT = TRAIT_AT + len(TRAITED)
TOTAL = KIND_AT + len(KINDS) + 1
NOTHING = TOTAL - 1
_PAIR = {pair: i for i, pair in enumerate(PAIRS)}
_TRAIT = {traited: TRAIT_AT + i for i, traited in enumerate(TRAITED)}


def texts(rng) -> list[str]:
    """One caption of every class, TOTAL of them; then one of every colour."""
    return ([captions.pair(rng, *pair) for pair in PAIRS] + [captions.noun(rng, n) for n in range(len(NOUNS))]
            + [captions.trait(rng, *traited) for traited in TRAITED] + [captions.background(rng, k) for k in range(len(KINDS))]
            + [captions.nothing(rng)] + [captions.colour(rng, c) for c in range(len(COLOURS))])


def _of_noun(noun):
    return [i for i, (n, _) in enumerate(PAIRS) if n == noun]


def _true(thing):
    """The texts that are true of (noun, colour, trait, second)."""
    noun, colour, trait, second = thing
    found = [NOUN_AT + noun]
    if (noun, colour) in _PAIR:
        found.append(_PAIR[noun, colour])
    for extra in {(noun, trait, -1), (noun, trait, second)} & _TRAIT.keys():
        found.append(_TRAIT[extra])
    return found


def _rows(thing, beside):
    """(right text, texts that say nothing) of each thing that can be asked about a thing."""
    noun, colour, trait, second = thing
    true = _true(thing) + (_true(beside) if beside else [])
    never = [n for n, name in enumerate(NOUNS) if colour >= 0 and (name, COLOURS[colour]) in HELD_OUT]
    # Of a thing whose colour or trait is not known, none is wrong.
    silent = never if colour >= 0 else [noun]
    true += [NOUN_AT + n for n in never] + [at for (n, *_), at in _TRAIT.items() if n in silent]
    rows = [(NOUN_AT + noun, true + _of_noun(noun))]
    if (noun, colour) in _PAIR:
        rows.append((_PAIR[noun, colour], true))
    # Who has an umbrella is a person too, but "a person with an umbrella" says it better.
    better = [at for at in true + _of_noun(noun) if at != NOUN_AT + noun]
    if trait >= 0:
        rows.append((_TRAIT[noun, trait, -1], better))
    if second >= 0:
        rows.append((_TRAIT[noun, trait, second], [at for at in better if at != _TRAIT[noun, trait, -1]]))
    return rows


def hidden_colours() -> torch.Tensor:
    """By noun, the colours that it never has: (nouns, colours) bool."""
    return torch.tensor([[(noun, colour) in HELD_OUT for colour in COLOURS] for noun in NOUNS])


class Targets:
    """Rows of labels, worked out once each."""

    def __init__(self):
        self.held = {}
        kinds = list(range(KIND_AT, KIND_AT + len(KINDS)))
        street = KIND_AT + KINDS.index("street")
        for kind in range(len(KINDS)):
            # A road, grass or a building is part of an empty street: neither argues against the other.
            beside = kinds if KIND_AT + kind == street else [street]
            self.held[kind] = self._packed([(KIND_AT + kind, [NOTHING] + beside), (NOTHING, kinds)])
        self.held[-1] = self._packed([(NOTHING, kinds)])

    @staticmethod
    def _packed(rows):
        hidden = torch.zeros(len(rows), TOTAL, dtype=torch.bool)
        for i, (right, others) in enumerate(rows):
            hidden[i, others] = True
            hidden[i, right] = False
        return torch.tensor([right for right, _ in rows]), hidden

    def thing(self, thing, beside=None):
        """Right texts (R,) and hidden texts (R, TOTAL) of a thing, with another that may be there too."""
        key = (thing, beside)
        if key not in self.held:
            self.held[key] = self._packed(_rows(thing, beside))
        return self.held[key]

    def crop(self, label):
        """Right and hidden texts of a whole crop, of both its things."""
        first, second, kind = tuple(label[:4]), tuple(label[5:9]), label[10]
        if first[0] < 0:
            return self.held[kind]
        both = second[0] >= 0
        parts = [self.thing(first, second if both else None)] if label[4] > 0 else []
        if both and label[9] > 0:
            parts.append(self.thing(second, first))
        if not parts:
            return torch.zeros(0, dtype=torch.long), torch.zeros(0, TOTAL, dtype=torch.bool)
        return torch.cat([right for right, _ in parts]), torch.cat([hidden for _, hidden in parts])

    def crops(self, labels):
        """Of a batch: the crop, right text, hidden texts and weight of every row; noun and pair weigh 1 together."""
        found = [self.crop(label) for label in labels.tolist()]
        where = torch.cat([torch.full_like(right, i) for i, (right, _) in enumerate(found)])
        weight = torch.cat([torch.full((len(right),), 1 / max(1, min(2, len(right)))) for right, _ in found])
        return where, torch.cat([right for right, _ in found]), torch.cat([hidden for _, hidden in found]), weight

    def patch(self, label, thing: int, rng):
        """One row of what a patch shows that lies on a crop's first or second thing."""
        right, hidden = self.thing(tuple(label[5 * thing:5 * thing + 4]))
        row = rng.integers(len(right))
        return right[row], hidden[row]
