"""From allocation over trading to surrender: a registry and a market in one process.

    python examples/compliance_year.py
"""

from tempfile import TemporaryDirectory

from cea_exchange.in_process.exchange import Exchange
from cea_exchange.registry.files import SourceFile

ALLOCATION = """compliance_year,product,stage,province,account,tonnes,at_risk
2024,CEA24,final,11,heat-north,900,false
2024,CEA24,final,31,power-east,1200,false
2024,CEA24,,11,TOTAL,900,
2024,CEA24,,31,TOTAL,1200,
2024,CEA24,,,TOTAL,2100,
"""
OBLIGATIONS = """compliance_year,province,account,verified_tonnes,due_tonnes
2024,11,heat-north,1000,1000
2024,11,TOTAL,1000,1000
2024,,TOTAL,1000,1000
"""

with TemporaryDirectory() as folder, Exchange.open(folder, date="2025-07-15") as exchange:
    registry = exchange.registry
    registry.product_declare("CEA24", reference_price_fen=9_749)
    registry.accounts.open("heat-north", credit_code="91110000100000001W", province=11)
    registry.accounts.open("power-east", credit_code="91310000200000002Q", province=31)

    registry.distribution.issue("CEA24", 2_100)
    preview = registry.distribution.preview(SourceFile("allocation.csv", ALLOCATION.encode()))
    registry.distribution.distribute(preview.preview_id)
    registry.pay_in("heat-north", 2_000_000)
    registry.transfer_in("heat-north", None, 2_000_000)
    registry.transfer_in("power-east", "CEA24", 300)

    exchange.open_day("2025-07-16")
    exchange.phase("listed")
    exchange.enter("power-east", "CEA24", "sell", price="97.50", tonnes=150)
    exchange.enter("heat-north", "CEA24", "buy", price="98.00", tonnes=100)
    exchange.close_day()

    exchange.open_day("2025-07-17")  # what was bought may leave the market from now on
    registry.transfer_out("heat-north", "CEA24", 100)
    exchange.feed()
    registry.obligations.take(SourceFile("obligations.csv", OBLIGATIONS.encode()))
    surrender = registry.surrender.apply("heat-north", 2024, {"CEA24": 1_000})
    registry.surrender.accept(surrender, province=11)
    print("certificate", registry.surrender.retire(surrender))
    print(*registry.compliance.public_list(2024))
