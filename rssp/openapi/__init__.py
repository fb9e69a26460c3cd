"""What the CSC API looks like from outside: OpenAPI 3.1 descriptions, made from one table of methods.

`schemas` holds the shapes, `methods` the table, `document` makes the description of a version, and `postman` makes a
collection of requests from it. What is described is what is built: the table is filtered by what ``info`` lists.
"""
