"""."""
WRONG=[]
RIGHT={}
