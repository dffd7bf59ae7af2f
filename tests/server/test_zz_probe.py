import time, json
from tests.server.reusing import *
from registry_server.usecases import reuses as R
from registry_server.catalog import reuses as C
from registry_server.catalog.accounts import ANONYMOUS
def test_x(registry, client, alice, bob, token, tmp_path):
    commit = add_model(client, alice, "alice/model", model_card(100.0))
    for i in range(120):
        add_model(client, alice, f"alice/peer{i}", model_card(50.0 + i))
    pair = add_key(registry, "bob")
    add_model(client, bob, "bob/tuned", model_card(2.0, [base("alice/model", commit)]))
    env = envelope_of(client, pair, "alice/model", commit, bob, organisation="bob")
    t = time.perf_counter(); s = client.post(f"{API}/repos/models/alice/model/reuses/{commit}", json=env, headers=bob); print("state s", time.perf_counter()-t, s.status_code)
    with registry.engine.write() as tx:
        row = tx.execute("select * from reuses")[0]
        claim = json.loads(row["claim"]); print("claim bytes", len(row["claim"]), "envelope", len(row["envelope"]))
        ids = [tx.execute("insert into accounts (name,key,kind,is_admin,created_at) values (:n,:n,'org',0,'x') returning id", {"n": f"o{i}"})[0]["id"] for i in range(5000)]
        for i, org in enumerate(ids):
            n = C.add(tx, C.by_number(tx, 1).repo, row["commit_oid"], org, row["account_id"], row["envelope"] + " "*(i+1), "2026-11-22T10:00:00.000Z")
            c = {**claim, "id": str(n)}; c["statement"] = {**c["statement"], "organisation": f"o{i}", "team": f"o{i}"}; c["evidence"] = {**c["evidence"], "organisation": f"o{i}"}
            C.keep(tx, n, json.dumps(c), [1, 122])
    for who in (ANONYMOUS,):
        for _ in range(3):
            t = time.perf_counter(); found = R.ledger_for(registry, who); print("ledger s", time.perf_counter()-t, len(found.events))
    for url in (f"{API}/ledger", f"{API}/ledger?model=alice/model&format=sums", f"{API}/ledger?organisation=o7", "/ledger", "/alice/model"):
        t = time.perf_counter(); a = client.get(url); print(url, a.status_code, time.perf_counter()-t, len(a.data))
    t = time.perf_counter(); a = client.get(f"{API}/ledger?organisation=o7", headers=bob); print("bob", a.status_code, time.perf_counter()-t)
    t = time.perf_counter()
    with registry.engine.write() as tx:
        for n in range(1, 21): R._work_out(registry, tx, 1)
    print("work out each", (time.perf_counter()-t)/20)
    assert 0
