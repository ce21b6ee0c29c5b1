"""How the tables of earlier versions become those of this one; one file per change, never edited afterwards."""
