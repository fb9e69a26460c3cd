"""The shared look: frames, components, the stylesheet and the libraries that they load."""
