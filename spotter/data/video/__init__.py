"""Video as the input of a network: decoded on the fly, prepared once into stores, or as folders of JPEG images."""
