"""Using a trained network: from a picture to the expressions of the faces in it."""
