"""What every benchmark needs: the machine, its speed now, compiled parts, a database."""
