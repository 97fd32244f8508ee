"""The nouns: states, events, resources, money, time and errors. Pure; imports nothing of Petahour."""
