"""An alert as `surveil --json` prints it."""

ALERT_LINE = (
    b'{"pattern":"spoofing","rule":"CEA-SVL-06","grade":"high","trading_date":20241231,'
    b'"product":"CEA24","accounts":["P001"],"counterparties":[],"first_seq":1,"last_seq":2,'
    b'"figures":[{"name":"times the fill","value":20,"relation":">=","threshold":10}],'
    b'"sentence":"P001 entered 80000 t and took them away.",'
    b'"gain_fen":{"realised":0,"marked":0},"reproducer":null}\n'
)
