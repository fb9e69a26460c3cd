"""What this service's APIs look like from outside: OpenAPI 3.1 descriptions, each made from one table.

Of the CSC API `schemas` holds the shapes, `methods` the table, and `document` makes a version's description. Of the
operators' API they are `operators_schemas`, `operators_calls` and `operators_document`. From any description `postman`
makes a collection of requests, and `reading` what a page shows. What is described is what is built: the table of
methods is filtered by what ``info`` lists, the table of calls is held by tests against what the views take.
"""
