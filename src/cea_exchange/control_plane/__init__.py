"""What every daemon has: doors that others come to, in processes of their own. No market rules."""
