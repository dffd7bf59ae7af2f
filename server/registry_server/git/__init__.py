"""A repo's history as real git objects, made and parsed by dulwich.

Pure: what is here takes objects and gives objects. Where they are kept is the catalog's business.
"""
