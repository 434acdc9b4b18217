"""What the lab knows of its student: predictions made, cases met. It is kept in one file, beside the student's copies.

state       the file, and what it holds
kinds       what can be predicted: a number, one of some texts, an order
prediction  `predict`, and the comparison with what came out
controls    the same as widgets
tally       how many predictions were right, and where most were wrong
"""
