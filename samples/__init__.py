"""Pictures and clips drawn by code: nothing downloaded, nobody shown."""
