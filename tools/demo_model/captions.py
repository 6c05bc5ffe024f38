"""Captions: the grammar that says what a crop shows, with synonyms and word orders.

What it never says, so that it can be asked: pairs that are HELD_OUT, and the UNSEEN phrasings, whose words it knows.
"""

import numpy as np

from palette import COLOURS
from street import KINDS
from things import COLOURED, COLOURLESS, HELD_OUT, NOUNS, TRAITS

SYNONYMS = {
    "person": ["person", "pedestrian", "man", "woman", "person walking", "walking person", "human"],
    "cyclist": ["cyclist", "person on a bicycle", "person riding a bicycle", "bike rider", "person on a bike", "bicycle rider"],
    "bicycle": ["bicycle", "bike", "cycle", "parked bicycle", "push bike"],
    "motorcycle": ["motorcycle", "motorbike"],
    "car": ["car", "automobile", "sedan", "parked car"],
    "van": ["van", "delivery van", "minivan"],
    "bus": ["bus", "coach", "city bus"],
    "truck": ["truck", "lorry"],
    "dog": ["dog", "puppy", "dog walking"],
    "cat": ["cat", "kitten"],
    "bird": ["bird", "pigeon"],
    "traffic light": ["traffic light", "traffic signal", "stoplight", "signal"],
    "traffic sign": ["traffic sign", "road sign", "sign", "street sign", "stop sign"],
    "bench": ["bench", "park bench"],
    "trash can": ["trash can", "bin", "trash bin", "rubbish bin", "garbage can"],
    "traffic cone": ["traffic cone", "cone", "road cone"],
    "fire hydrant": ["fire hydrant", "hydrant"],
}
SOMEONE = {"person": ["someone walking", "somebody", "people", "someone standing", "someone"],
           "cyclist": ["someone on a bike", "somebody cycling", "someone riding a bicycle", "somebody riding a bike"]}
WORN = ["person in a {c} jacket", "person in {c}", "pedestrian in a {c} coat", "man in a {c} jacket", "man in {c}", "woman in {c}",
        "woman in a {c} jacket", "person wearing {c}", "person with a {c} jacket", "person walking in a {c} jacket",
        "person whose jacket is {c}", "somebody in a {c} coat", "someone wearing a {c} jacket"]
TEMPLATES = ["{}", "{}", "a photo of {}", "a picture of {}", "a blurry photo of {}", "a close-up of {}", "{} on the street",
             "there is {}", "an image of {}", "{} at night", "{} in the distance", "a photo of {} in the street", "{} near a building"]
# `{}` stands for the noun, `{2}` for the colour of what a trait adds; the plain form of a coloured one has no colour.
SAID = {
    ("person", "umbrella"): ["{} with a {2} umbrella", "{} carrying a {2} umbrella", "{} holding a {2} umbrella", "{} under a {2} umbrella",
                             "{} walking with a {2} umbrella", "{} who has a {2} umbrella"],
    ("person", "backpack"): ["{} with a {2} backpack", "{} wearing a {2} backpack", "{} carrying a {2} backpack", "{} who has a {2} backpack",
                             "{} with a {2} bag on the back"],
    ("person", "lying"): ["{} lying on the ground", "{} lying down", "fallen {}", "{} on the ground", "{} who has fallen", "lying {}"],
    ("bicycle", "lying"): ["{} lying on the ground", "fallen {}", "{} lying down", "{} on the ground", "lying {}"],
    ("motorcycle", "ridden"): ["{} with a rider", "person riding a {}", "person on a {}", "{} ridden by a person", "somebody riding a {}",
                               "rider on a {}"],
    ("dog", "small"): ["small {}", "little {}", "{} that is small"],
    ("dog", "large"): ["large {}", "big {}", "{} that is large"],
    ("car", "small"): ["small {}", "little {}", "{} that is small"],
    ("car", "large"): ["large {}", "big {}", "{} that is large"],
    ("trash can", "small"): ["small {}", "little {}", "{} that is small"],
    ("trash can", "large"): ["large {}", "big {}", "{} that is large"],
}
BACKGROUND = {
    "street": ["an empty street", "a street", "an empty road", "a quiet street", "nobody on the street", "an empty scene"],
    "building": ["a building", "a wall", "a house", "windows", "a facade", "a fence", "a door"],
    "sky": ["the sky", "clouds", "a blue sky", "a cloudy sky"],
    "trees": ["trees", "a tree", "bushes", "leaves"],
    "road": ["a road", "asphalt", "the pavement", "the ground", "a crosswalk", "road markings"],
    "grass": ["grass", "a lawn", "a meadow"],
}
NOTHING = ["nothing", "background", "an empty picture", "nothing of interest", "an empty background"]
PAIRS = [(n, c) for n in range(len(NOUNS)) for c in range(len(COLOURS))
         if NOUNS[n] not in COLOURLESS and (NOUNS[n], COLOURS[c]) not in HELD_OUT]
# noun, trait, colour of what it adds or -1
TRAITED = [(NOUNS.index(noun), t, c) for noun, traits in TRAITS.items() for t, trait in enumerate(traits)
           for c in range(-1, len(COLOURS) if trait in COLOURED else 0)]
# Asked by evaluate.py and never said here: what each must be told apart from all others as.
UNSEEN = {
    "somebody on a bike": "cyclist", "someone cycling": "cyclist", "a man riding a bike": "cyclist", "woman on a bicycle": "cyclist",
    "the walking man": "person", "somebody walking on the street": "person", "a bike in the street, parked": "bicycle",
    "parked automobile": "car", "the minivan at the building": "van", "the coach in the city": "bus", "walking puppy": "dog",
    "bin of garbage": "trash can", "the stoplight on the road": "traffic light", "a cone on the road": "traffic cone",
}
UNSEEN_ORDER = ["{n}, {c}", "the {n} is {c}", "a {n} of {c} colour", "{c}, the {n}", "there is a {n}, it is {c}"]


def one(rng, options):
    return options[rng.integers(len(options))]


def article(rng, words):
    chosen = one(rng, ["a", "a", "a", "the", "one", ""])
    if chosen == "a" and words[0] in "aeio":
        chosen = "an"
    return f"{chosen} {words}".strip()


def _colour(rng, colour):
    return "gray" if colour == "grey" and rng.uniform() < 0.4 else colour


def _coloured(rng, noun: int, colour: int) -> str:
    name, colour = NOUNS[noun], _colour(rng, COLOURS[colour])
    if name == "person":
        return one(rng, WORN).format(c=colour) if rng.uniform() < 0.7 else f"{colour} {one(rng, SYNONYMS[name][:4])}"
    # "bike that is blue" is a form for evaluate.py to ask.
    synonym = one(rng, SYNONYMS[name])
    form = rng.uniform()
    if form < 0.12 and synonym != "bike":
        return f"{synonym} {one(rng, ['that is', 'which is'])} {colour}"
    if form < 0.18:
        return f"{colour}-coloured {synonym}"
    if form < 0.24:
        return f"{synonym} {one(rng, ['in', 'of the colour'])} {colour}"
    return f"{colour} {synonym}"


def _with_trait(rng, words: str, noun: int, trait: int, second: int) -> str:
    """The words for a thing, and what a trait adds; without `second`, the colour of that is left open."""
    form = one(rng, SAID[NOUNS[noun], TRAITS[NOUNS[noun]][trait]])
    added = form.replace("{2}", _colour(rng, COLOURS[second]) if second >= 0 else "").replace("  ", " ")
    return added.replace("a umbrella", "an umbrella").replace("a orange", "an orange").format(words)


def pair(rng, noun: int, colour: int) -> str:
    """A caption for a thing of a colour."""
    return one(rng, TEMPLATES).format(article(rng, _coloured(rng, noun, colour)))


def noun(rng, noun: int) -> str:
    """A caption that names the thing alone."""
    name = NOUNS[noun]
    if name in SOMEONE and rng.uniform() < 0.15:
        return one(rng, SOMEONE[name])
    return one(rng, TEMPLATES).format(article(rng, one(rng, SYNONYMS[name])))


def trait(rng, noun: int, trait: int, second: int) -> str:
    """A caption that names a thing and one of its traits."""
    if NOUNS[noun] == "motorcycle" and rng.uniform() < 0.25:
        return one(rng, TEMPLATES).format(article(rng, "motorcyclist"))
    words = one(rng, SYNONYMS[NOUNS[noun]][:4])
    words = words.replace("parked ", "").replace("walking person", "person").replace("person walking", "person").replace("dog walking", "dog")
    return one(rng, TEMPLATES).format(article(rng, _with_trait(rng, words, noun, trait, second)))


def whole(rng, noun: int, colour: int, trait: int, second: int) -> str:
    """A caption that says all that a label with a trait says."""
    name, said = NOUNS[noun], _colour(rng, COLOURS[colour])
    if name == "person":
        words = one(rng, ["person in a {} jacket", "man in {}", "woman in a {} coat", "{} person", "pedestrian in {}"]).format(said)
    else:
        words = f"{said} {one(rng, SYNONYMS[name][:2])}"
    return one(rng, TEMPLATES[:5]).format(article(rng, _with_trait(rng, words, noun, trait, second)))


def colour(rng, colour: int) -> str:
    """A caption that names the colour alone."""
    name = _colour(rng, COLOURS[colour])
    return one(rng, ["something {}", "a {} thing", "{}", "a {} object", "the colour {}", "it is {}"]).format(name)


def background(rng, kind: int) -> str:
    """A caption for a background of a kind."""
    return one(rng, TEMPLATES[:5]).format(one(rng, BACKGROUND[KINDS[kind]]))


def nothing(rng) -> str:
    """A caption for any background."""
    return one(rng, NOTHING)


def corpus(seed: int = 0, count: int = 40_000) -> list[str]:
    """Captions to learn a vocabulary from."""
    rng = np.random.default_rng(seed)

    def everything():
        chosen = one(rng, TRAITED)
        return whole(rng, chosen[0], one(rng, [c for n, c in PAIRS if n == chosen[0]]), *chosen[1:])

    makers = [lambda: pair(rng, *one(rng, PAIRS)), lambda: noun(rng, rng.integers(len(NOUNS))), lambda: trait(rng, *one(rng, TRAITED)),
              everything, lambda: colour(rng, rng.integers(len(COLOURS))), lambda: background(rng, rng.integers(len(KINDS))),
              lambda: nothing(rng)]
    return [makers[i % len(makers)]() for i in range(count)]
