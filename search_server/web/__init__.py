"""The pages: shells that the server fills with nothing; the browser reads the REST interface itself."""
