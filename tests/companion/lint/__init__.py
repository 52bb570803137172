"""The lint of companion.md, section 15: scripted talks, how they are played, and the rules that run on them."""
