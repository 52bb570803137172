"""Talking with the companion: the crisis check in front, guided answers inside, a model behind when the operator and the person want one."""
