"""A vision-language model beside the fast recogniser: it looks at Ī with the proxies, and never holds anything up."""
