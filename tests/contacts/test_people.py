"""Emergency contacts and therapists (decisions, "Users"): taken as they were sent, the same person once."""

import asyncio

from doors import everything

IVAN = {"name": "Ivan", "phone": "+380 (50) 123-45-67", "email": "ivan@example.org", "relationship": "brother"}
CREATED = "A new emergency contact has been created."
UPDATED = "The emergency contact has been updated."
REQUIRED = {"error": "The 'name', 'phone', and 'relationship' fields are required."}
NAME_AND_ONE = {"error": "The 'name' field and a 'phone' or an 'email' are required."}


async def save(person, **changes):
    return await person.patch("/user/edit/contact/me/", {key: value for key, value in (IVAN | changes).items() if value != "absent"})


async def test_a_contact_is_answered_as_it_was_sent(maya):
    answer = await save(maya)
    assert (answer.status, answer.json) == (201, {"message": CREATED, "data": {"id": answer.json["data"]["id"], **IVAN}})


async def test_an_email_is_optional_and_null_when_absent(maya):
    for number, email in enumerate(("absent", None, "", "  ")):
        answer = await save(maya, email=email, phone=f"+38050123450{number}")
        assert (answer.status, answer.json["data"]["email"]) == (201, None)


async def test_what_is_missing_is_the_contracts_sentence(server, maya):
    before = await everything(server)
    for field in ("name", "phone", "relationship"):
        for value in ("absent", None, "", "   ", "\n"):
            answer = await save(maya, **{field: value})
            assert (answer.status, answer.json) == (400, REQUIRED), (field, value)
    assert (await maya.patch("/user/edit/contact/me/", {})).json == REQUIRED
    assert await everything(server) == before


async def test_bad_fields_are_named_all_at_once(server, maya):
    before = await everything(server)
    answer = await save(maya, name="x" * 101, phone="no number", email="nowhere", relationship=7, colour="blue")
    assert answer.status == 400 and answer.json.keys() == {"name", "phone", "email", "relationship", "colour"}
    assert await everything(server) == before


PHONES = ["+380501234567", "00380501234567", "050 123 45 67", "(050) 123-45-67", "112", "tel. 12-34 ext 5", "+1 555 CALL 911", "０５０"]


async def test_any_plausible_telephone_text_is_taken_and_returned_as_sent(maya):
    for number, phone in enumerate(PHONES):
        answer = await save(maya, phone=phone, email=f"p{number}@example.org", name=f"Person {number}")
        assert answer.status in (200, 201) and answer.json["data"]["phone"] == phone, phone


async def test_the_same_number_again_is_the_same_person_however_it_is_written(maya):
    first = (await save(maya)).json["data"]["id"]
    for phone in ("+380501234567", "00380501234567", "+380-50-123-45-67"):
        answer = await save(maya, name="Vanya", phone=phone, email="new@example.org")
        assert (answer.status, answer.json["message"]) == (200, UPDATED)
        assert answer.json["data"] == {"id": first, **IVAN, "name": "Vanya", "phone": phone, "email": "new@example.org"}


async def test_without_a_derivable_number_the_same_e_mail_is_the_same_person(maya):
    first = await save(maya, phone="050 123")
    again = await save(maya, phone="050 999", email="IVAN@example.org")
    assert (first.status, again.status) == (201, 200)
    assert again.json["data"]["id"] == first.json["data"]["id"]
    other = await save(maya, phone="050 999", email="olga@example.org")
    nameless = [await save(maya, phone="050 999", email=None) for _ in range(2)]
    assert [answer.status for answer in (other, *nameless)] == [201, 201, 201]


async def test_two_telephones_at_once_make_one_contact(maya):
    answers = await asyncio.gather(*(save(maya) for _ in range(5)))
    assert sorted(answer.status for answer in answers) == [200, 200, 200, 200, 201]
    assert len({answer.json["data"]["id"] for answer in answers}) == 1


async def test_a_contact_belongs_to_one_person(maya, sam, olive):
    mine, his = await save(maya), await save(sam)
    assert (mine.status, his.status) == (201, 201)
    assert mine.json["data"]["id"] != his.json["data"]["id"]
    for_sam = await olive.patch("/user/edit/contact/2/", IVAN | {"name": "Vanya"})
    assert (for_sam.status, for_sam.json["data"]["id"]) == (200, his.json["data"]["id"])


async def test_more_contacts_than_anybody_needs_are_refused(server, maya):
    async with server.db.write() as tx:
        for number in range(100):
            values = {"name": f"P{number}", "phone": "112"}
            await tx.run("insert into contact (user_id, name, phone, relationship, created_at) values (1, :name, :phone, 'friend', 0)", **values)
    answer = await save(maya)
    assert (answer.status, answer.json) == (400, {"error": "No more than 100 contacts can be stored."})


async def test_an_own_therapist_becomes_the_therapist_contact(maya):
    for olga in ({"name": "Olga", "phone": "+380501234567"}, {"name": "Olga", "email": "olga@example.org"}):
        answer = await maya.put("/user/create/therapist/me/", olga)
        expected = {"phone": None, "email": None} | olga | {"id": answer.json["data"]["id"]}
        assert (answer.status, answer.json) == (201, {"message": "A new therapist contact has been created.", "data": expected})
        assert (await maya.get("/user/me/")).json["therapist_contact"] == expected["id"]
    assert len((await maya.get("/user/therapists/me/")).json) == 2


async def test_a_therapist_needs_a_name_and_a_way_to_be_reached(server, maya):
    before = await everything(server)
    for body in ({}, {"name": "Olga"}, {"phone": "112"}, {"name": " ", "phone": "112"}, {"name": "Olga", "phone": "", "email": None}):
        answer = await maya.put("/user/create/therapist/me/", body)
        assert (answer.status, answer.json) == (400, NAME_AND_ONE), body
    assert await everything(server) == before


async def test_an_own_therapist_is_changed_field_by_field(maya):
    made = (await maya.put("/user/create/therapist/me/", {"name": "Olga", "phone": "112"})).json["data"]
    answer = await maya.patch("/user/edit/therapist/me/", {"email": "olga@example.org"})
    assert (answer.status, answer.json["message"]) == (200, "Therapist contact has been updated.")
    assert answer.json["data"] == made | {"email": "olga@example.org"}
    assert (await maya.patch("/user/edit/therapist/me/", {"phone": None})).json["data"] == made | {"email": "olga@example.org", "phone": None}
    refused = await maya.patch("/user/edit/therapist/me/", {"email": None})
    assert (refused.status, refused.json) == (400, NAME_AND_ONE)


async def test_nobody_changes_the_directory_or_another_persons_therapist(server, maya, sam):
    async with server.db.write() as tx:
        await tx.run("insert into therapist (name, phone) values ('Dr. Directory', '112')")
    theirs = (await sam.put("/user/create/therapist/me/", {"name": "Olga", "phone": "112"})).json["data"]["id"]
    before = await everything(server)
    answer = await maya.patch("/user/edit/therapist/me/", {"name": "Mine now"})
    assert (answer.status, answer.json) == (404, {"error": "Therapist contact not found for this user."})
    assert (await maya.patch("/user/edit/me/", {"therapist_contact": theirs})).json.keys() == {"therapist_contact"}
    assert await everything(server) == before
    assert [one["name"] for one in (await maya.get("/user/therapists/me/")).json] == ["Dr. Directory"]
    assert [one["name"] for one in (await sam.get("/user/therapists/me/")).json] == ["Dr. Directory", "Olga"]


async def test_a_therapist_of_the_directory_may_be_chosen_by_anybody(server, maya):
    async with server.db.write() as tx:
        await tx.run("insert into therapist (name, phone) values ('Dr. Directory', '112')")
    number = (await maya.get("/user/therapists/me/")).json[0]["id"]
    assert (await maya.patch("/user/edit/me/", {"therapist_contact": number})).json["updated_data"]["therapist_contact"] == number
