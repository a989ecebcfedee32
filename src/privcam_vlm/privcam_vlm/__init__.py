"""A vision-language model beside the fast recognition: it gets Ī with the proxies, and nothing waits for it."""
