"""Things: each noun of the world, drawn in metres with its feet at y = 0, y pointing down, facing right.

A drawer takes (canvas, rng, colour, step, trait, second) and returns (width, height) in metres of the box from
(-width/2, -height) to (width/2, 0). `step` in 0..1 is the phase of walking or rolling, for the clips; `trait` is one of
its noun's TRAITS or None, `second` the colour of what the trait adds.
"""

import animals
import furniture
import people
import vehicles

NOUNS = [
    "person", "cyclist", "bicycle", "motorcycle", "car", "van", "bus", "truck", "dog", "cat", "bird",
    "traffic light", "traffic sign", "bench", "trash can", "traffic cone", "fire hydrant",
]
COLOURLESS = {"traffic light"}

# What can be said of a noun beside its colour. Those of COLOURED have a colour of their own.
TRAITS = {
    "person": ["umbrella", "backpack", "lying"],
    "bicycle": ["lying"],
    "motorcycle": ["ridden"],
    "dog": ["small", "large"],
    "car": ["small", "large"],
    "trash can": ["small", "large"],
}
COLOURED = {"umbrella", "backpack"}

# Pairs of noun and colour that occur in no caption and no picture of the training, to see what is put together anew.
HELD_OUT = {
    ("person", "purple"), ("cyclist", "blue"), ("cyclist", "orange"), ("bicycle", "blue"), ("bicycle", "pink"),
    ("motorcycle", "green"), ("motorcycle", "white"), ("car", "brown"), ("car", "purple"), ("van", "orange"), ("van", "pink"),
    ("bus", "yellow"), ("bus", "black"), ("truck", "grey"), ("dog", "red"), ("cat", "orange"), ("cat", "green"),
    ("bird", "white"), ("traffic sign", "brown"), ("bench", "red"), ("trash can", "yellow"), ("trash can", "white"),
    ("traffic cone", "blue"), ("fire hydrant", "green"), ("fire hydrant", "grey"),
}

DRAW = {
    "person": people.person, "cyclist": people.cyclist, "bicycle": people.bicycle, "motorcycle": people.motorcycle,
    "car": vehicles.car, "van": vehicles.van, "bus": vehicles.bus, "truck": vehicles.truck,
    "dog": animals.dog, "cat": animals.cat, "bird": animals.bird,
    "traffic light": furniture.traffic_light, "traffic sign": furniture.traffic_sign, "bench": furniture.bench,
    "trash can": furniture.trash_can, "traffic cone": furniture.traffic_cone, "fire hydrant": furniture.fire_hydrant,
}
