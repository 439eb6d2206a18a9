"""Names of the columns of scored pairs: two ids, and the probability (0 to 1) that they are one person."""

ID_LEFT, ID_RIGHT, PROBABILITY = "id_left", "id_right", "probability"
PAIR_COLUMNS = (ID_LEFT, ID_RIGHT, PROBABILITY)
