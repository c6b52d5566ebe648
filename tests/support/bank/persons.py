"""Who asks the bank, in tests without keys."""

from cea_exchange.protocol.operators import Operator
from cea_exchange.registry.bank.requests import CUSTOMER, OPERATOR

CUSTOMER_KEY, OPERATOR_KEY = "registry's key", "teller's key"
PERSONS = {
    CUSTOMER_KEY: Operator("registry", CUSTOMER_KEY, CUSTOMER),
    OPERATOR_KEY: Operator("teller", OPERATOR_KEY, OPERATOR),
}
