-- Registry and venue never differed.
-- Rule: CEA-STL-03
-- Must come out: nothing. A row says where they did.
-- Says: state is {state}
SELECT state FROM meta WHERE state <> 'ok';
