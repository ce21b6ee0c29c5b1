"""What the pages say, in English and Japanese: a file per page. "key": (English, Japanese); values in braces are filled in."""
