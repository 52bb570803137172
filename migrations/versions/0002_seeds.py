"""What an empty service begins with: three scenarios, the first of them the default, and six tracks."""

import json

from alembic import op
from sqlalchemy import text

revision = "0002"
down_revision = "0001"

EVERYBODY = [{"wait": 0, "tell": ["contacts", "therapist"], "text": "alarm"}]
CONTACTS = [{"wait": 0, "tell": ["contacts"], "text": "alarm"}]

# alarm.md, section 8. Each has one step now; `level` 1 is "be with me".
SCENARIOS = [
    {"name": "Full alarm", "level": 2, "music": True, "start_channels": 2, "steps": EVERYBODY, "expire_after": 7200},
    {"name": "Be with me", "level": 1, "music": True, "start_channels": 2, "steps": CONTACTS, "expire_after": 7200},
    {"name": "Quiet alarm", "level": 2, "music": False, "start_channels": 2, "steps": EVERYBODY, "expire_after": 7200},
]

TRACKS = [
    ("Ocean waves", "ocean.mp3"),
    ("Steady rain", "rain.mp3"),
    ("Brown noise", "brown-noise.mp3"),
    ("Wind in trees", "wind.mp3"),
    ("Slow warm pad", "slow-pad.mp3"),
    ("Breathing tone", "breath.mp3"),
]


def upgrade() -> None:
    bind = op.get_bind()
    for scenario in SCENARIOS:
        bind.execute(
            text("insert into scenario (name, definition) values (:name, :definition)"),
            {"name": scenario["name"], "definition": json.dumps(scenario)},
        )
    for name, file in TRACKS:
        bind.execute(text("insert into music_track (name, file, built_in) values (:name, :file, true)"), {"name": name, "file": file})
