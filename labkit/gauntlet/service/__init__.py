"""The service of the shop: the second capstone, of a student's answers to all exercises but that on engines.

course          the rows of its checklist, each with runs of the service
carries_out, hands_over, tells_others, shows_progress, shares_state, everything: those runs
work            what a worker does with an order: the agent, a saga, a step in the database
orders          the queue: how orders come in, are taken, and given back
news            events: from the row that changed to billing, and to a webhook
customer        the customer's server behind the webhook, and the network between
page            progress: what is told of an order, and what its customer says
sharing         the state that agents share, and how they reach it
schemas         one database, in which the tables of each exercise have a schema of their own
"""
