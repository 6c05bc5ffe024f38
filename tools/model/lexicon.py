"""Words: what labels are called, and phrases to teach the text tower with."""

import random

COLOURS = ["black", "white", "grey", "red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "silver"]

# Phrases that mean a label. The first is the main one.
SYNONYMS = {
    "person": ["a person", "a pedestrian", "someone", "somebody", "a human", "a man", "a woman", "people", "a person walking", "a person standing",
               "a passer-by", "a man on foot", "a woman walking"],
    "car": ["a car", "an automobile", "a sedan", "a parked car", "a passenger car", "a car on the road", "a hatchback", "a motor car"],
    "truck": ["a truck", "a lorry", "a heavy goods vehicle", "a freight truck", "a delivery truck", "a semi-trailer truck"],
    "van": ["a van", "a delivery van", "a minivan", "a panel van", "a transporter"],
    "minibus": ["a minibus", "a van", "a passenger van"],
    "bus": ["a bus", "a coach", "a city bus", "a public bus", "a school bus"],
    "motorcycle": ["a motorcycle", "a motorbike", "a scooter", "a moped", "a parked motorcycle"],
    "bicycle": ["a bicycle", "a bike", "a push-bike", "a cycle", "a parked bicycle"],
    "cyclist": ["a cyclist", "a person riding a bicycle", "somebody on a bike", "somebody on a push-bike", "a bike rider", "a man on a bicycle"],
    "dog": ["a dog", "a puppy", "a hound", "a doggy"],
    "cat": ["a cat", "a kitten", "a kitty", "a tomcat"],
    "bird": ["a bird", "a pigeon", "a small bird", "a songbird"],
    "vehicle": ["a vehicle", "a motor vehicle", "a car or truck"],
    "traffic light": ["a traffic light", "a traffic signal", "a stoplight", "traffic lights"],
    "traffic sign": ["a traffic sign", "a road sign", "a street sign"],
    "package": ["a package", "a parcel", "a cardboard box", "a delivered package", "a parcel on the doorstep", "a box"],
    "umbrella": ["an umbrella", "an open umbrella", "a parasol"],
    "backpack": ["a backpack", "a rucksack", "a bag"],
    "airplane": ["an airplane", "a plane", "an aeroplane", "an aircraft"],
    "deer": ["a deer", "a stag", "a doe"],
    "horse": ["a horse", "a pony"],
    "bear": ["a bear", "a brown bear"],
    "ship": ["a ship", "a boat", "a vessel"],
    "ambulance": ["an ambulance", "an emergency vehicle"],
    "fire hydrant": ["a fire hydrant", "a hydrant"],
    "crosswalk": ["a crosswalk", "a zebra crossing", "a pedestrian crossing"],
    "bench": ["a bench", "a park bench", "a seat"],
    "trash can": ["a trash can", "a dustbin", "a rubbish bin", "a garbage can"],
    "traffic cone": ["a traffic cone", "a cone"],
    "face": ["a face", "a person's face", "a portrait of a person", "a person"],
    "house": ["a house", "a building"],
    "phone": ["a phone", "a mobile phone", "a telephone"],
}
RENAMED = {"vehicle (no type)": "vehicle", "faces easy": "face", "leopards": "leopard", "cougar face": "cougar", "cougar body": "cougar", "crocodile head": "crocodile",
           "flamingo head": "flamingo", "binocular": "binoculars", "ketch": "sailing boat", "schooner": "sailing boat", "trash": "trash can", "bonsai": "bonsai tree",
           "bass": "bass fish", "crane": "crane bird", "organ": "pipe organ", "reel": "fishing reel", "brass": "brass memorial plate", "nail": "nail"}
# Labels that may be true of a picture beside its own: neither right nor wrong.
NEAR = [{"person", "cyclist", "face"}, {"car", "van", "minibus", "vehicle", "ambulance", "police van", "minivan", "limousine", "sports car", "convertible", "beach wagon", "cab", "jeep"},
        {"truck", "van", "minibus", "vehicle", "ambulance", "garbage truck", "fire engine", "pickup", "trailer truck", "tow truck", "moving van"},
        {"bus", "minibus", "vehicle", "school bus", "trolleybus"}, {"motorcycle", "vehicle", "cyclist", "moped", "motor scooter"}, {"bicycle", "cyclist", "bicycle-built-for-two", "mountain bike"},
        {"package", "carton"}, {"ship", "boat", "sailing boat", "lifeboat", "gondola"}, {"house", "barn", "background"}, {"traffic sign", "street sign", "stop sign"},
        {"background", "crosswalk", "pole", "picket fence", "viaduct", "bannister", "cliff", "seashore", "lakeside", "alp", "thatch", "steel arch bridge"}]
BACKGROUND = ["an empty street", "a road", "asphalt", "pavement", "a wall", "a building", "windows of a building", "the sky", "clouds", "trees", "leaves", "bushes", "grass",
              "a lawn", "a garden", "a fence", "the floor", "a carpet", "a door", "a corridor", "a shadow on the ground", "water", "snow", "darkness", "night", "a lamp post", "a pole",
              "road markings", "background", "nothing", "an empty room", "furniture", "a blurry background", "gravel", "soil", "a hedge", "a parking lot", "a kerb"]
TEMPLATES = ["{}", "a photo of {}", "a picture of {}", "a blurry photo of {}", "a close-up of {}", "there is {}", "{} in the distance", "{} at night", "a low resolution photo of {}"]
CLOTHES = ["jacket", "coat", "shirt", "t-shirt", "sweater", "hoodie", "dress", "vest", "top"]
WEARERS = ["person", "man", "woman", "pedestrian", "boy", "girl"]


def article(words: str) -> str:
    """A noun phrase with its article."""
    if words.split()[0] in ("a", "an", "the", "some") or words.endswith("sunglasses"):
        return words
    return ("an " if words[0] in "aeiou" else "a ") + words


def phrases(label: str) -> list[str]:
    label = RENAMED.get(label, label)
    if label == "background":
        return BACKGROUND
    return SYNONYMS.get(label, [article(label)])


def coloured(label: str, colour: str) -> list[str]:
    """Phrases of a label in a colour; of a person, the colour of the upper body."""
    colours = [colour] + (["gray"] if colour == "grey" else [])
    if label == "person":
        return [f"{article(w)} in {article(c)} {k}" for c in colours for w in WEARERS[:4] for k in CLOTHES[:5]] + [f"a person wearing {article(c)} {k}" for c in colours for k in CLOTHES[:4]] + \
            [f"a person dressed in {c}" for c in colours]
    plain = [p.split(" ", 1)[1] for p in phrases(label)[:3] if p.split(" ", 1)[0] in ("a", "an")]
    return [article(f"{c} {p}") for c in colours for p in plain]


def composed(labels, rng: random.Random, count: int) -> list[str]:
    """Phrases as people write them into a prompt: colours, clothes, places, company, words in another order."""
    nouns = [p for label in labels for p in phrases(label)]
    common = [p for label in list(SYNONYMS) for p in SYNONYMS[label]]
    adjectives = ["small", "large", "big", "little", "old", "young", "tall", "parked", "moving", "dark", "bright", "dirty", "new"]
    places = ["on the street", "on the road", "on the doorstep", "near the gate", "in the garden", "at the door", "on the grass", "in the car park", "on the pavement", "next to a car",
              "in front of a house", "under a tree", "at the traffic light", "on a bench", "behind a fence", "in the snow", "in the rain", "at night", "in the driveway", "on the left", "on the right"]
    doing = ["walking", "running", "standing", "sitting", "lying on the ground", "riding a bicycle", "riding a motorcycle", "carrying a bag", "carrying a parcel", "with an umbrella",
             "with a backpack", "with a dog", "pushing a pram", "pushing a bicycle", "holding a phone", "wearing a helmet", "wearing a hat", "climbing a fence", "with a suitcase", "in a wheelchair"]
    people = ["a person", "a man", "a woman", "a child", "a boy", "a girl", "somebody", "a postman", "a mail carrier", "a delivery driver", "a police officer", "a firefighter", "a worker",
              "a jogger", "a pedestrian", "a burglar", "an old man", "two people", "a group of people", "a cyclist", "a courier", "a child on a scooter"]
    strip = lambda p: p.split(" ", 1)[1] if p.split(" ", 1)[0] in ("a", "an") else p
    made = []
    for _ in range(count):
        kind = rng.random()
        noun = rng.choice(common if rng.random() < 0.6 else nouns)
        if kind < 0.25:
            made.append(article(f"{rng.choice(COLOURS + ['gray', 'dark', 'light'])} {strip(noun)}"))
        elif kind < 0.33:
            made.append(f"{rng.choice(['the', 'one', 'this'])} {strip(noun)} {rng.choice(['is', 'that is', 'which is'])} {rng.choice(COLOURS)}")
        elif kind < 0.45:
            made.append(f"{rng.choice(people)} {rng.choice(['in', 'wearing', 'with'])} {article(rng.choice(COLOURS))} {rng.choice(CLOTHES)}")
        elif kind < 0.57:
            made.append(f"{rng.choice(people)} {rng.choice(doing)}")
        elif kind < 0.70:
            made.append(f"{noun} {rng.choice(places)}")
        elif kind < 0.78:
            made.append(article(f"{rng.choice(adjectives)} {strip(noun)}"))
        elif kind < 0.86:
            made.append(rng.choice(TEMPLATES).format(noun))
        elif kind < 0.92:
            made.append(strip(noun))
        else:
            made.append(rng.choice(TEMPLATES).format(article(f"{rng.choice(COLOURS)} {strip(noun)}")))
    return made
